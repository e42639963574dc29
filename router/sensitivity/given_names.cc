// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/given_names.h"

#include <unordered_set>

namespace headgate::router {
namespace {

constexpr std::string_view kGivenNames =
    "aaron abdul abdullah abel abigail adaeze adam adaobi adrian adriana adriano agnes agnieszka ahmed aiden "
    "aileen aisha aisling ajay akira alan alana alasdair alastair albert albie alejandra alejandro aleksandra "
    "alessandra alessandro alex alexander alexandra alexei alexis alfie alfred ali alice alicia alina alison "
    "alistair althea alvin alyssa amanda amara amber amelia amina amir amit amy ana anastasia anders andre "
    "andrea andreas andrei andres andrew angela angelo angus anika anil anita anja ankit ann anna annabel anne "
    "annette annie anselm anthony antoine anton antonia antonio anya archie ariel arjun armando arnold arthur "
    "arturo asha ashley astrid aubrey audrey austin ava axel ayesha babak barbara barry bartosz beatrice beatrix "
    "beatriz becky belinda ben benedict benedikta benjamin bernadette bernard bernice bertha bertie beth bethany "
    "bettina betty bev beverly bill billy blake blanca bob bobby bogdan bonnie boris brad bradley brandon brenda "
    "brendan brent brett brian bridget brigitte brittany bronwyn bruce bruno bryan bryce burak caitlin callum "
    "calvin cameron camila camille candice carl carla carlo carlos carmela carmen carol caroline carolyn carrie "
    "casey caspar catherine cecil cecilia cedric celeste celia chad chantal charlene charles charlie charlotte "
    "cheng cheryl chiara chidi chika chinedu chinwe chloe chris christian christina christine christopher chukwu "
    "claire clara clarence claudia clayton clement clifford clive clyde colette colin colleen connor conor "
    "constance cora corey corinne courtney craig cristina curtis cynthia cyril dafydd dalia damian damien dan "
    "dana daniel daniela danielle danny daphne darius dariusz darlene darren daryl dave david deborah debra "
    "declan deepak deirdre delia delroy demetrius denis denise dennis derek dermot desmond diana diane dieter "
    "dimitri dion dmitri dolores dominic dominik donal donald donna dora doreen doris dorothy doug douglas "
    "duncan dustin dwayne dwight dylan eddie edgar edith edmund edna eduardo edward edwin efua eileen elaine "
    "eleanor elena eleni elias elijah elisa elise eliza elizabeth ella ellen ellie ellis elmer eloise elsa elsie "
    "elton emeka emil emilia emilio emily emma emmanuel enid enrique eoin eric erica erik erika erin ernest "
    "ernesto esme esperanza esteban estelle esther ethan ethel eugene eunice eva evan eve evelina evelyn ewa "
    "ezra farah farid fatima fatou faye federica felicia felicity felipe felix femi fergus fernanda fernando "
    "finlay finn fiona flora floyd frances francesca francesco francis franco frank fraser fred freda freddie "
    "frederick freya friedrich funmi gabriel gabriela gabriella gail gareth garrett garry gary gavin gemma "
    "genevieve geoff geoffrey george georgina gerald geraldine gerard gianna gideon gilbert giles gillian gina "
    "ginny giovanna giovanni gita giulia glen glenda glenn gloria goran gordon grace graham greg gregory greta "
    "gretchen guillermo gunnar gunther gustavo gwen gwendolyn habib haley halima hamish hamza hana hannah hans "
    "harald hari harlan harold harriet harry haruto hassan hattie hayden heather hector hedwig heidi heinz helen "
    "helena helga henrietta henrik henry herbert herman hilary hilda hilde hiroshi horace howard hubert hugh "
    "hugo humphrey hussein hyun iain ian ibrahim ida idris ifeoma ignacio igor ike imani imogen imran ines inga "
    "ingrid ioana irene irina irma isaac isabel isabella isabelle isaiah isla ismail ivan ivana ivor iwona jack "
    "jackie jacob jacqueline jacques jaime jake jamal james jamie jana jane janelle janet janice janine jared "
    "jarrod jason jasper javier jayden jean jeff jeffrey jelena jennie jennifer jenny jens jeremy jermaine "
    "jerome jerry jess jesse jessica jill jim jimmy jin joachim joan joanna joanne jocelyn jodie joe joel joey "
    "johan johann johanna john johnny jolanta jon jonas jonathan jordan jorge jose josef joseph josephine josh "
    "joshua josie joyce juan juanita judith judy julia julian juliana julie julien juliet julio jung justin "
    "kamal kamil kara kareem karen karim karin karl karla kasia katarina katarzyna kate kath katherine kathleen "
    "kathryn kathy katie katrina kay kayla kayode keisha keith kelly kelvin ken kendra kenji kenneth kerry kevin "
    "khadija khalid kieran kim kimberly kirk kirsten klaus kofi kojo krishna kristen kristina krystyna kurt "
    "kwabena kwame kwesi kyle kyra lakshmi lamar larry lars latoya laura laurel lauren laurence lauri lawrence "
    "lea leah leandro leila lena lennart leon leona leonard leonardo leonie leroy leslie lester lewis li liam "
    "lila lilian lily lina linda lindsay lindsey lionel lisa liz lloyd logan lois lola lorena lorenzo loretta "
    "lori lorna lottie louis louise luca lucas lucia lucille lucinda lucy luis luke luther lydia lyle lynn mabel "
    "mackenzie maddie madeleine madison mads magda magdalena maggie magnus mahmoud maisie malcolm malik mandy "
    "manuel mara marc marcel marcela marcia marcin marco marcus marek margaret margarita margot marguerite maria "
    "mariam marian mariana marianne marie marilyn marina mario marion marisa marisol marit marjorie mark marlene "
    "marlon marsha marta martha martin martina marvin mary maryam masha mason mateo mateusz mathilde matilda "
    "matt matteo matthew mattias maude maureen maurice mauricio maxine maxwell maya megan mehmet mei melanie "
    "melinda melissa melvin meredith mervyn mia micah michael michal michele michelle miguel mikael mike mikhail "
    "mila mildred miles millie min ming mira miranda miriam mitchell mohamad mohamed mohammed mohan moira mollie "
    "molly monica moses muhammad muriel myra myrtle nadia nadine nancy naomi nasser natalie natasha nathan "
    "nathaniel ned neha neil nell nellie neville ngozi nia niall niamh nicholas nick nico nicola nicolas nicole "
    "nigel nikhil nikita nikolai nina nishant nnamdi noah noel noelle noor nora norma nuala nuno obinna octavia "
    "oksana oleg olena olga oliver olivia oluwaseun omar orla oscar otis otto ottoline owen pablo paddy padraig "
    "paige pam pamela paola pascal patience patricia patrick patty paul paula pauline pavel pedro peggy penelope "
    "percy perry peter petra phil philip philippa phoebe phyllis pia pierre piotr polly prakash preeti priscilla "
    "priya quentin rachael rachel radek rafael rafaela rahul raj rajesh ralph ramesh ramon ramona randy raquel "
    "rashid raul ravi rayan raymond rebecca reece reena reggie reginald renata rene renee reuben reza rhiannon "
    "rhoda rhona rhys ricardo richard rick ricky rita robbie robert roberta roberto robin rocio roderick rodney "
    "rodrigo roger rohan roisin roland rolf roman ron ronald rory rosa rosalie rosalind rosamund rosemary rosie "
    "rowan roxanne roy ruairi ruby rudolf rudy rufus rupert russ russell ruth ryan ryo sabrina sadie saeed sahar "
    "sally salma sam samantha samir samuel sandeep sandra sanjay saoirse sara sarah sasha saul scott seamus sean "
    "sebastian selena selma serena sergei seth shane shannon sharon shaun shauna shawn sheila shelley sheryl "
    "shirley shona sibusiso sid sidney sienna silvia simon simone sinead siobhan sofia sofie solomon sonia sonja "
    "sophia sophie spencer stacey stacy stan stanislav stanley stefan stefania stella stephanie stephen steve "
    "steven stewart stuart sue suki sunil suresh susan susanna susanne suzanne sven sybil sylvia sylvie tabitha "
    "takashi tamara tamika tamsin tanisha tanya tara tariq tatiana ted terence teresa terrance terrell terry "
    "tess thabo thandiwe thelma theo theodora theodore theresa thomas tiffany tilda tilly tim timothy tina "
    "tobias toby todd tom tomas tomasz tommy toni tony tori tracey tracy travis trevor tricia trish troy trudy "
    "tunde tyler tyrone ulrich ulrike uma una ursula valentin valentina valerie vanessa vera vernon veronica "
    "vicky victor victoria vijay vikram viktor vincent vincenzo viola virgil virginia vivian viviana vivienne "
    "vladimir wallace walter wanda warren wayne wei wendy wesley wilbur wilfred wilhelm william willie wilma "
    "winifred winston wojciech xavier yara yasmin yolanda yousef yuki yusuf yvette yvonne zach zachary zain "
    "zainab zara zeynep zoe zofia zsofia zuzanna";

}  // namespace

bool IsGivenName(std::string_view lower) {
  static const std::unordered_set<std::string_view> names = [] {
    std::unordered_set<std::string_view> all;
    for (std::string_view rest = kGivenNames; !rest.empty();) {
      const size_t space = rest.find(' ');
      all.insert(rest.substr(0, space));
      rest = space == std::string_view::npos ? "" : rest.substr(space + 1);
    }
    return all;
  }();
  return names.contains(lower);
}

}  // namespace headgate::router
