// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/model_tools.h"

namespace headgate::engine {

// Never changed: a change would make figures of before and after incomparable.
const std::string& EvaluationText() {
  static const std::string text = R"(The keeper of the lock wakes before the light. He walks along the wall, looks at
the level of the water above and below the gates, and writes both numbers into a book that his grandmother began. The
first boat comes at six. It is loaded with gravel and lies so deep that the wave in front of it washes over the lower
steps. The captain greets him by name, because he has come through this lock four times a week for eleven years.

A lock is a simple machine. Two pairs of gates close a chamber of stone. When the lower gates are shut and the valves
in the upper gates are opened, water runs in until the level in the chamber is the same as the level above. Nobody
could open the gates before that: the weight of the water presses them together, and that is why they meet at an angle
instead of in a straight line. After about nine minutes the pressure on both sides is equal, and then a child could
push them open with one hand. The boat moves out, the gates are closed behind it, and the same water is let down for
the next one that wants to go the other way.

Every passage costs water. In a dry summer the river does not bring enough, and the keeper has to wait until two boats
can share the chamber. He explains this to the tourists in their white boats, who are seldom patient. He tells them
that the rule is older than the bridge, older than the mill, and that his grandmother once let a minister wait for an
hour because a barge with potatoes was still below. Most of them laugh. Some of them want to see the page in the book.

In the office there is a telephone, a stove, a map of the canal and a computer that the administration sent in spring.
The computer shows the levels of all nineteen locks, a little later than they are measured, and it draws a red line
when a number is missing. The keeper likes it more than he admits. When a storm is announced he can see how the upper
locks let the water go, one after the other, and he opens his valves a quarter of an hour before the flood arrives.
Last year he saved the cellar of the inn that way. The landlord sent him a ham, and a letter in which the word
gratitude was spelled with three letters too many.

On Sundays his daughter visits. She is a programmer in the city and works on a system that decides which questions may
be answered by a machine far away and which must stay inside the house. She says that it is the same thing as his
lock: a place where something has to wait between two gates, and where both must never be open at the same time. He
thinks about that for a while. Then he asks her what happens when somebody forgets to close the first gate. She
answers that the second one simply does not open, whatever anybody says, and that this is the whole art of it. He
nods. That, he says, is how it should be built.

The instructions on the wall have seven points. First: look before you touch anything. Second: close what is open.
Third: compare the levels, and write them down with the time. Fourth: open the valves slowly, a third of a turn each
minute. Fifth: when the water is quiet, open the gates. Sixth: count the boats, 1, 2, 3, and no more than the chamber
holds. Seventh: if you are not sure, wait. The last point was added in 1974, in another hand, after the accident that
nobody in the village likes to talk about.

In the evening the light comes from the other side and the stones turn yellow. The gravel is unloaded by now, forty
kilometres to the east, and the captain is on his way back with an empty hold. His boat lies high in the water and
looks twice as large as in the morning. He does not need to say anything. The keeper has seen the lamp at the bend, he
has already opened the lower gates, and the chamber is waiting. While the water rises they talk about the price of
diesel, about the knee of one and the back of the other, and about the heron that stands every night on the same post.
Then the gates open, the motor starts, and the wave runs along the wall and comes back, and runs along it again, and
after a while the water is as quiet as a table.
)";
  return text;
}

}  // namespace headgate::engine
