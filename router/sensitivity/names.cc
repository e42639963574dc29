// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/names.h"

#include <algorithm>
#include <bitset>
#include <string>
#include <unordered_set>

#include "router/sensitivity/given_names.h"
#include "router/sensitivity/labels.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kNamesMax = 64;
constexpr double kBare = kFullNameMin, kTagged = 0.5, kMarked = 0.6;
constexpr double kHalf = 0.2;  // `James`

// The families that nine people in ten belong to, and the rest of the traditional list.
constexpr std::u32string_view kCommonFamilies =
    U"王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    U"陆汪范金石廖贾夏韦付方白邹孟熊"
    U"秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿"
    U"关兰焦俞左柳甘祝包宁尚符"
    U"舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦"
    U"麦褚娄窦戚岑景党宫费卜"
    U"逯揣綦佴禤厍笪仝贲冼郗晁鄢蔺谌茹缪宓隗逄郜蓟胥莘璩濮扈郏阚訾蒯竺鞠郦雍钭酆芮羿荀桓储荆宿闫苌亓麴郇邸阙匡眭糜阮嵇亢滕呙鹿敖"
    U"粘佘揭谯税钮卞巢丘归闻党鹿谌南展佐"
    U"冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池麻苑迟邝"
    U"洪赖傅常萧阎楼冀郁栗燕楚奚厉伊屠朴廉禹漆祖狄宣晋戈浦薄辜裘邰杭赫况诸慕湛茅戎昝鄂蔚郄";
// In pairs.
constexpr std::u32string_view kCompounds =
    U"欧阳上官司马诸葛东方夏侯皇甫尉迟公孙令狐慕容长孙宇文独孤南宫端木司徒司空澹台轩辕钟离闻人呼延赫连百里西门申屠东郭";
// Characters that do not stand in given names.
constexpr std::u32string_view kNotGiven =
    U"的了是在和与及或有不我你他她它们这那为把被对从到给让请说要能会可以也都就还很最更吗呢吧啊个些每某种什么怎哪谁么没"
    U"着过得地之其此因所但而且若如则已将由于向往先生女士小姐后前"
    U"上下里外中内间时候日月年号元岁点分秒第次回件份项条款章节页级率量数额费税率户账卡机器型类别性质式法则令案件报表单"
    U"据信息息码网站店厂司局部处科室院校班组队员工人民"
    U"做写买卖吃喝问答看见听想用作去来出进入开关打电话住址街道路省市县区镇乡村今昨每男女，患";

std::bitset<0x5200> MakeSet(std::u32string_view characters) {
  std::bitset<0x5200> set;
  for (const char32_t c : characters) {
    if (c >= 0x4E00 && c < 0xA000) set.set(c - 0x4E00);
  }
  return set;
}
bool In(const std::bitset<0x5200>& set, char32_t c) { return c >= 0x4E00 && c < 0xA000 && set[c - 0x4E00]; }

const std::bitset<0x5200>& Families() {
  static const std::bitset<0x5200> set = MakeSet(kCommonFamilies);
  return set;
}
const std::bitset<0x5200>& NotGiven() {
  static const std::bitset<0x5200> set = MakeSet(kNotGiven);
  return set;
}

// Names that stand for nobody, and the people whom everybody knows.
const std::unordered_set<std::string_view>& Nobodies() {
  static const std::unordered_set<std::string_view> names = {
      "张三",   "李四",   "王五",   "赵六",   "孙七",   "周八",   "吴九",   "小明",   "小红",   "小刚",   "小华",
      "小李",   "小王",   "小张",   "王小明", "李小明", "张小明", "李明明", "韩梅梅", "李雷",   "某某",   "毛泽东",
      "邓小平", "习近平", "周恩来", "江泽民", "胡锦涛", "温家宝", "李克强", "孙中山", "蒋介石", "鲁迅",   "李白",
      "杜甫",   "苏轼",   "白居易", "王维",   "李清照", "曹雪芹", "施耐庵", "吴承恩", "罗贯中", "孔子",   "孟子",
      "老舍",   "巴金",   "钱钟书", "金庸",   "古龙",   "莫言",   "余华",   "马云",   "马化腾", "雷军",   "任正非",
      "李彦宏", "刘强东", "张一鸣", "王健林", "董明珠", "姚明",   "刘翔",   "李娜",   "郎平",   "周杰伦", "刘德华",
      "成龙",   "李小龙", "周星驰", "张艺谋", "王菲",   "邓丽君", "袁隆平", "钱学森", "屠呦呦", "杨振宁", "陈景润",
      "华罗庚", "诸葛亮", "曹操",   "刘备",   "孙权",   "关羽",   "张飞",   "孙悟空", "林黛玉", "贾宝玉", "宋江",
      "武松",   "秦始皇", "汉武帝", "武则天", "康熙",   "乾隆",   "司马迁", "李世民", "朱元璋", "王阳明", "朱熹",
      "祖冲之", "张衡",   "李时珍", "华佗",   "岳飞",   "文天祥", "郑和",   "徐志摩", "林徽因", "梁启超", "康有为",
      "胡适",   "齐白石", "王羲之", "黄晓明", "范冰冰", "杨幂",   "张国荣", "梅艳芳", "李嘉诚", "许家印", "王兴",
      "黄峥",   "丁磊",   "李宁",   "马龙",   "樊振东", "孙杨",   "苏炳添", "谷爱凌", "梁思成", "冰心",   "朱自清",
      "叶圣陶", "安徒生", "温度",   "高兴",   "方法",   "成绩",   "严重",   "安全",   "高级",   "高中",   "高考",
      "文件",   "文章",   "明确",   "明白",   "成功",   "成本",   "时间",   "方案",   "方面",   "程序",   "关系",
      "关键",   "应用",   "任务",   "全部",   "全面",   "计算",   "和平",   "黄金",   "白色",   "金额",   "金融",
      "万元",   "石油",   "江西",   "江苏",   "贵州",   "云南",   "河南",   "连续",   "连接",   "解决",   "解释",
      "管理",   "单位",   "单独",   "路线",   "项目",   "简单",   "简历",   "包括",   "包装",   "费用",   "经理",
      "程度",   "高度",   "温州",   "宁波",   "广东",   "司机",   "公司",   "房东",   "房屋",   "房间",   "车辆",
      "车牌",   "马上",   "易于",   "向量",   "古代",   "古诗",   "华为",   "农业",   "农村",   "商品",   "商业",
      "师傅",   "党员",   "高血压", "高血脂", "高血糖", "白血病", "黄果树", "常规",
      "张桂梅", "全红婵", "潘展乐", "郑钦文", "孙颖莎", "林丹", "李宗伟", "张继科", "丁俊晖", "武大靖", "徐梦桃", "巩立姣",
      "张伟丽", "王宝强", "黄渤", "沈腾", "刘亦菲", "赵丽颖", "王一博", "肖战", "易烊千玺", "王俊凯", "孙俪", "胡歌",
      "陈道明", "陈宝国", "李雪健", "张国立", "葛优", "冯小刚", "贾樟柯", "王家卫", "侯孝贤", "甄子丹", "李连杰", "梁朝伟", "张曼玉",
      "林青霞", "巩俐", "章子怡", "周迅", "赵薇", "周润发", "张学友", "郭富城", "陈奕迅", "林俊杰", "孙燕姿", "王力宏", "蔡依林", "张惠妹",
      "刘欢", "那英", "朴树", "崔健", "罗大佑", "李宗盛", "陈丹青", "冯骥才", "余秋雨", "王朔", "刘慈欣", "贾平凹", "路遥", "陈忠实",
      "王小波", "张爱玲", "萧红", "林语堂", "沈从文", "郭沫若", "茅盾", "曹禺", "艾青", "北岛", "海子", "顾城", "舒婷", "三毛", "琼瑶", "席慕蓉",
      "余光中", "钱三强", "邓稼先", "钱伟长", "黄旭华", "孙家栋", "南仁东", "施一公", "潘建伟", "钟南山", "张文宏", "李兰娟",
      "林巧稚", "吴孟超", "李四光", "竺可桢", "茅以升", "詹天佑", "侯德榜", "童第周", "僧一行", "郭守敬", "宋应星", "徐光启", "扁鹊", "孙思邈",
      "张仲景", "屈原", "陶渊明", "孟浩然", "王昌龄", "李商隐", "杜牧", "柳宗元", "韩愈", "欧阳修", "王安石", "辛弃疾", "陆游", "柳永", "李煜",
      "纳兰性德", "蒲松龄", "吴敬梓", "唐伯虎", "郑板桥", "顾炎武", "王夫之", "黄宗羲", "曾国藩", "李鸿章", "左宗棠", "张之洞", "林则徐", "慈禧", "光绪",
      "溥仪", "雍正", "朱棣", "崇祯", "赵匡胤", "唐太宗", "唐玄宗", "杨贵妃", "王昭君", "西施", "貂蝉", "项羽", "刘邦", "韩信", "张良", "吕布",
      "赵云", "周瑜", "司马懿", "霍去病", "卫青", "班超", "张骞", "玄奘", "鉴真", "戚继光", "郑成功", "史可法", "袁崇焕", "洪秀全", "谭嗣同", "秋瑾",
      "宋教仁", "蔡元培", "陈独秀", "李大钊", "瞿秋白", "朱德", "彭德怀", "贺龙", "刘伯承", "叶剑英", "林彪", "刘少奇", "雷锋",
      "王进喜", "焦裕禄", "孔繁森", "董存瑞", "黄继光", "邱少云", "刘胡兰", "杨靖宇", "张学良", "戴笠", "阎锡山", "冯玉祥", "吴佩孚", "曾荫权", "马英九",
      "蔡英文", "洪秀柱", "俞敏洪", "罗永浩", "李佳琦", "董宇辉", "周鸿祎", "张朝阳", "柳传志", "潘石屹", "曹德旺", "宗庆后", "王传福",
      "何小鹏", "余承东", "梁文锋", "贾跃亭",
      // Words that begin like names.
      "左右", "左边", "左手", "柳树", "柳条", "梁上", "江南", "江北", "江边", "江湖", "江水", "周末", "周期", "周围", "周年", "周边", "金属",
      "金钱", "金色", "金鱼", "石头", "石桥", "石板", "石榴", "田野", "田园", "方便", "方式", "方向", "方块", "高手", "高楼", "高速", "高低",
      "高峰", "马路", "马桶", "马车", "牛奶", "牛肉", "龙头", "龙虾", "龙舟", "华东", "华北", "华南", "华丽", "毛衣", "毛巾", "毛病", "毛线",
      "史料", "史诗", "温暖", "温馨", "温柔", "温泉", "康复", "常常", "常见", "常年", "常识", "常用", "常客", "常驻", "关注", "关心", "关闭",
      "关节", "宁静", "安静", "安排", "安装", "安慰", "安心", "白天", "白菜", "白酒", "黄昏", "黄河", "黄豆", "黄瓜", "蓝天", "蓝色", "路口",
      "路边", "路灯", "车站", "车间", "车库", "车票", "古镇", "古树", "古典", "游客", "游戏", "游泳", "童年", "童话", "成长", "成员", "成人",
      "成果", "简介", "简洁", "单元", "单词", "项链", "梅花", "柴火", "和谐", "和风", "商场", "商家", "荣誉", "荣幸", "冷静", "冷水", "冷藏",
      "冷门", "米饭", "米线", "席位", "应急", "应届", "应付", "边缘", "边界", "经典", "经验", "余额", "余下", "顾客", "顾问", "陆续", "陆地",
      "文化", "文明", "文艺", "文案", "沙发", "沙滩", "季度", "季节", "水果", "阳台", "阳光", "时光", "时常", "农历", "包子", "包裹", "章节",
      "童装", "祝福", "祝贺", "喻体", "苗木", "花园", "花生", "谷物", "谷雨", "盛夏", "曲线", "曲目", "辛苦", "管道", "连锁", "连夜", "洪水",
      "楼上", "楼下", "楼梯", "楼道", "燕窝", "燕子", "楚楚", "祖国", "祖先", "宣传", "宣布", "晋升", "廉价", "赖账",
      "厉害", "浦东", "戈壁", "杭州", "况且", "诸多", "诸位", "茅台", "常州", "傅里叶", "洪峰", "萧条",
  };
  return names;
}

bool IsNobody(std::string_view name) { return Nobodies().contains(name); }

// ---- Chinese ----

bool IsCompound(char32_t first, char32_t second) {
  static const std::bitset<0x5200> parts = MakeSet(kCompounds);
  if (!In(parts, first)) return false;  // most characters
  for (size_t i = 0; i < kCompounds.size(); i += 2) {
    if (kCompounds[i] == first && kCompounds[i + 1] == second) return true;
  }
  return false;
}

// A family name begins at `at`.
bool IsFamilyAt(std::string_view text, size_t at) {
  const char32_t first = HanAt(text, at);
  return first != 0 && (In(Families(), first) || IsCompound(first, HanAt(text, at + 3)));
}

// Bytes of the name that begins at `at` and is followed by something that may follow a name; 0 when there is none.
// `marked`: a label or role stands before, so any character may follow.
size_t ChineseNameAt(std::string_view text, size_t at, bool marked) {
  if (!IsFamilyAt(text, at) || IsNobody(text.substr(at, 9))) return 0;
  size_t given = at + 3;
  if (IsCompound(HanAt(text, at), HanAt(text, given))) given += 3;
  size_t length = 0;
  for (size_t count = 1; count <= 2; ++count) {
    const size_t last = given + (count - 1) * 3;
    const char32_t c = HanAt(text, last);
    if (c == 0 || In(NotGiven(), c)) break;
    const size_t end = last + 3;
    const char32_t next = HanAt(text, end);
    // What follows a name: no letter of the same word. Verbs and particles that lead on to an attribute.
    const bool follows = next == 0 || In(NotGiven(), next) ||
                         std::u32string_view(U"今昨住患被系现近最身手电工月年生毕曾确诊离已未丧信，同").find(next) !=
                             std::u32string_view::npos;
    if (follows || (marked && count == 2)) length = end - at;
  }
  if (length == 0 || IsNobody(text.substr(at, length))) return 0;
  return length;
}

bool ClauseBegins(std::string_view text, size_t at) {
  if (at == 0) return true;
  const char32_t before = HanBefore(text, at);
  if (before == 0) return !IsAlnum(text[at - 1]);
  return std::u32string_view(U"给和与叫对为向请是帮让把找跟将被由问查及").find(before) != std::u32string_view::npos;
}

bool IsTagged(const Evidence& evidence, TextRange range) {
  for (const NameSpan& span : evidence.names()) {
    if (span.begin < range.end && range.begin < span.end && span.type == NameType::kPerson) return true;
  }
  return false;
}

// `患者高血压`: what stands behind is as often what they have.
bool AfterPatient(std::string_view text, size_t begin) {
  const std::string_view before = text.substr(begin >= 6 ? begin - 6 : 0, begin >= 6 ? 6 : 0);
  return before == "患者" || before == "病人" || before == "产妇" || before == "病患";
}

// `侯立新,男,46岁`: what forms say of a person, and nothing else.
bool GenderFollows(std::string_view text, size_t at) {
  constexpr std::string_view kForms[] = {",男,", ",女,", ", 男,", ", 女,", " 男 ", " 女 ", "(男,", "(女,"};
  return std::any_of(std::begin(kForms), std::end(kForms),
                     [&](std::string_view form) { return text.substr(at, form.size()) == form; });
}

// Characters between two dots or ends, as names of other peoples are written: `阿依努尔·买买提`.
size_t DottedNameAt(std::string_view text, size_t at) {
  constexpr size_t kPartMin = 2, kPartMax = 6, kPartsMax = 3, kNowhere = std::u32string_view::npos;
  size_t parts = 0, end = at;
  while (parts < kPartsMax) {
    size_t from = parts == 0 ? at : end + 2, count = 0;
    if (parts > 0 && text.substr(end, 2) != "·") break;
    const auto part = [&](char32_t c) { return c != 0 && std::u32string_view(U"的是在和了为与").find(c) == kNowhere; };
    while (count < kPartMax && part(HanAt(text, from))) from += 3, ++count;
    if (count < kPartMin) break;
    end = from;
    ++parts;
  }
  return parts >= 2 ? end - at : 0;
}

void FindChinese(const Evidence& evidence, TextRange window, std::vector<PersonName>& names) {
  const std::string_view text = evidence.text();
  const bool dots = text.substr(window.begin, window.end - window.begin).find("·") != std::string_view::npos;
  for (size_t at = window.begin; at + 5 < window.end && names.size() < kNamesMax;) {
    if (dots && evidence.Before(Cue::kPersonRole, {at, at}, 1)) {
      if (const size_t length = DottedNameAt(text, at); length > 0) {
        names.push_back({{at, at + length}, kMarked});
        at += length;
        continue;
      }
    }
    if (!IsFamilyAt(text, at)) {
      at += (static_cast<uint8_t>(text[at]) >= 0xE0) ? 3 : 1;
      continue;
    }
    const TextRange here{at, at};
    const bool marked = evidence.Before(Cue::kPersonRole, here, 1) || evidence.Before(Cue::kNameLabel, here, 3) ||
                        evidence.Before(Cue::kSelfName, here, 1);
    const size_t length = marked || ClauseBegins(text, at) ? ChineseNameAt(text, at, marked) : 0;
    if (length == 0) {
      at += 3;
      continue;
    }
    const TextRange range{at, at + length};
    at += length;
    const bool labelled = evidence.Before(Cue::kNameLabel, {range.begin, range.begin}, 3) ||
                          evidence.Before(Cue::kSelfName, {range.begin, range.begin}, 1);
    // Words begin like names (高血压, 应该): the tagger must agree, unless a label says so, or a role before three
    // characters that end there (`员工游佩珊，`).
    const char32_t next = HanAt(text, range.end);
    const bool ends = next == 0 || std::u32string_view(U"去今昨因被跟把想").find(next) != std::u32string_view::npos;
    const bool called = marked && length == 9 && ends && !AfterPatient(text, range.begin);
    const bool form = GenderFollows(text, range.end);
    if (!labelled && !called && !form && evidence.asked_names() && !IsTagged(evidence, range)) continue;
    const bool titled = evidence.After(Cue::kTitleAfter, range, 0);
    names.push_back({range, marked || titled || form ? kMarked : kBare});
  }
}

// ---- Latin ----

struct Word {
  size_t begin = 0, end = 0;
};

bool IsNamePart(std::string_view word, bool any_case) {
  if (word.size() < 2 || word.size() > 16 || !(IsUpper(word[0]) || any_case)) return false;
  static const std::unordered_set<std::string_view> kNot = {
      "the",       "this",     "that",   "and",       "for",        "with",      "from",     "name",   "date",
      "number",    "email",    "phone",  "address",   "january",    "february",  "march",    "april",  "may",
      "june",      "july",     "august", "september", "october",    "november",  "december", "monday", "tuesday",
      "wednesday", "thursday", "friday", "saturday",  "sunday",     "new",       "york",     "united", "states",
      "inc",       "llc",      "corp",   "company",   "university", "street",    "road",     "avenue", "dear",
      "hello",     "please",   "thanks", "regards",   "sincerely",  "his",       "her",      "their",  "our",
      "your",      "my",       "is",     "was",       "has",        "had",       "were",     "are",    "in",
      "on",        "at",       "of",     "to",        "by",         "as",        "an",       "we",     "he",
      "she",       "they",     "it",     "you",       "who",        "what",      "when",     "where",  "how",
      "why",       "not",      "born",   "aged",      "age",        "dob",       "list",     "table",  "id",
      "no",        "yes",      "field",  "tag",       "space",      "attribute", "column",   "type",   "value",
      "string",    "variable", "file",   "class",     "function",   "brand",     "product",  "domain", "server",
      "user",      "names",    "doe",    "smithson",  "city",       "state",     "country",  "first",  "last",
      "full",      "given",    "must",   "should",    "can",        "will",      "would",    "could",  "if",
      "grade",     "grades",   "attendance", "comment", "comments",   "teacher",   "department", "position", "title",
      "salary",    "status",   "notes",  "total",     "amount",     "gender",    "signature", "remarks", "score",
      "subject",   "section",  "role",   "hours",     "branch",     "quantity",  "description", "level",
      "or",        "but",      "so",     "be",        "do",         "did",       "get"};
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerAscii);
  return !kNot.contains(lower) &&
         std::all_of(word.begin(), word.end(), [](char c) { return IsLetter(c) || c == '\'' || c == '-'; });
}

bool IsPublicLatin(std::string_view name) {
  static constexpr std::string_view kKnown[] = {
      "Donald Trump", "Joe Biden", "Barack Obama", "George Washington", "Abraham Lincoln", "Elon Musk", "Bill Gates",
      "Steve Jobs", "Albert Einstein", "Isaac Newton", "William Shakespeare", "Jane Austen", "Mark Twain",
      "Taylor Swift", "Michael Jordan", "Michael Jackson", "Martin Luther", "John Kennedy", "Winston Churchill",
      "Marie Curie", "Charles Darwin", "Thomas Edison", "Thomas Jefferson", "Mark Zuckerberg", "Jeff Bezos",
      "Warren Buffett", "Emma Watson", "Harry Potter", "Sherlock Holmes", "James Bond", "Tom Hanks", "Hillary Clinton",
      "Bill Clinton", "George Bush", "Ronald Reagan", "Stephen Hawking", "Stephen King", "Walt Disney", "Henry Ford",
      "Alan Turing", "John Doe", "Jane Doe", "John Smith", "Jane Smith", "Angela Merkel", "Nelson Mandela",
      "Roger Federer", "Serena Williams", "Tim Cook", "Sam Altman", "Robert Frost", "Emily Dickinson",
      "Charles Dickens", "Tom Cruise", "Brad Pitt", "Leonardo DiCaprio", "Paul McCartney", "John Lennon",
      "Elvis Presley", "Frank Sinatra", "Peter Parker", "Bruce Wayne", "Queen Elizabeth", "King Charles",
      "Freddie Mercury", "David Bowie", "Kurt Cobain", "Amy Winehouse", "Whitney Houston", "Bob Dylan", "Bob Marley",
      "Jimi Hendrix", "Janis Joplin", "Johnny Cash", "Dolly Parton", "Lady Gaga", "Katy Perry", "Ariana Grande",
      "Justin Bieber", "Ed Sheeran", "Kanye West", "Jay-Z", "Kim Kardashian", "Britney Spears", "Billie Eilish",
      "Harry Styles", "Robin Williams", "Audrey Hepburn", "Marilyn Monroe", "Charlie Chaplin", "Marlon Brando",
      "Meryl Streep", "Tom Hardy", "Keanu Reeves", "Johnny Depp", "Amber Heard", "Will Smith", "Angelina Jolie",
      "Jennifer Aniston", "Scarlett Johansson", "Robert Downey", "Morgan Freeman", "Denzel Washington",
      "Steven Spielberg", "Alfred Hitchcock", "Quentin Tarantino", "Christopher Nolan", "Stanley Kubrick",
      "Martha Stewart", "Oprah Winfrey", "Ellen DeGeneres", "Gordon Ramsay", "Muhammad Ali", "Mike Tyson",
      "Tiger Woods", "LeBron James", "Kobe Bryant", "Usain Bolt", "Simone Biles", "Rafael Nadal", "Novak Djokovic",
      "Lionel Messi", "Cristiano Ronaldo", "David Beckham", "Diego Maradona", "Lance Armstrong", "Babe Ruth",
      "Tom Brady", "Pablo Picasso", "Frida Kahlo", "Claude Monet", "Andy Warhol", "Vincent van Gogh", "Salvador Dali",
      "Ludwig van Beethoven", "Wolfgang Mozart", "Johann Bach", "Frederic Chopin", "Ernest Hemingway", "George Orwell",
      "Virginia Woolf", "Sylvia Plath", "Oscar Wilde", "Agatha Christie", "Leo Tolstoy", "Franz Kafka",
      "Edgar Allan Poe", "Toni Morrison", "Maya Angelou", "Margaret Atwood", "Franklin Roosevelt",
      "Theodore Roosevelt", "Eleanor Roosevelt", "Richard Nixon", "Jimmy Carter", "Lyndon Johnson", "Kamala Harris",
      "Bernie Sanders", "Mitch McConnell", "Nancy Pelosi", "Boris Johnson", "Tony Blair", "Margaret Thatcher",
      "Rishi Sunak", "Keir Starmer", "Justin Trudeau", "Emmanuel Macron", "Vladimir Putin", "Volodymyr Zelensky",
      "Xi Jinping", "Mao Zedong", "Deng Xiaoping", "Kim Jong Un", "Shinzo Abe", "Narendra Modi", "Mahatma Gandhi",
      "Indira Gandhi", "Benazir Bhutto", "Fidel Castro", "Che Guevara", "Adolf Hitler", "Joseph Stalin",
      "Vladimir Lenin", "Karl Marx", "Sigmund Freud", "Carl Jung", "Nikola Tesla", "Galileo Galilei",
      "Leonardo da Vinci", "Ada Lovelace", "Grace Hopper", "Rosalind Franklin", "Richard Feynman", "Niels Bohr",
      "Enrico Fermi", "Robert Oppenheimer", "Katherine Johnson", "Jane Goodall", "Carl Sagan", "Neil Armstrong",
      "Sally Ride", "Amelia Earhart", "Florence Nightingale", "Mother Teresa", "Helen Keller", "Anne Frank",
      "Rosa Parks", "Malcolm X", "Harriet Tubman", "Frederick Douglass", "Susan Anthony", "Joan of Arc",
      "Julius Caesar", "Alexander the Great", "Genghis Khan", "Napoleon Bonaparte", "Marie Antoinette",
      "Princess Diana", "Prince William", "Prince Harry", "Meghan Markle", "Kate Middleton", "Satya Nadella",
      "Sundar Pichai", "Jensen Huang", "Jack Ma", "Larry Page", "Sergey Brin", "Larry Ellison", "Peter Thiel",
      "Andrew Carnegie", "John Rockefeller", "Coco Chanel", "Greta Thunberg", "Malala Yousafzai", "Edward Snowden",
      "Julian Assange", "Bernie Madoff", "Elizabeth Holmes", "Al Capone", "Ted Bundy", "Pope Francis", "Dalai Lama",
      "Luke Skywalker", "Darth Vader", "Tony Stark", "Clark Kent", "Indiana Jones", "Walter White", "Jay Gatsby",
      "Atticus Finch", "Holden Caulfield", "Jane Eyre", "Katniss Everdeen", "Bilbo Baggins", "Ebenezer Scrooge"};
  // Known by one name.
  static constexpr std::string_view kSingle[] = {
      "Lincoln", "Churchill", "Einstein", "Newton", "Darwin", "Mozart", "Beethoven", "Bach", "Chopin", "Napoleon",
      "Shakespeare", "Hitler", "Stalin", "Lenin", "Marx", "Freud", "Trump", "Obama", "Biden", "Putin", "Zelensky",
      "Musk", "Bezos", "Zuckerberg", "Gandhi", "Mandela", "Picasso", "Monet", "Tesla", "Edison", "Galileo",
      "Copernicus", "Aristotle", "Plato", "Socrates", "Caesar", "Cleopatra", "Beyonce", "Rihanna", "Drake", "Eminem",
      "Messi", "Ronaldo", "Federer", "Nadal", "Djokovic", "LeBron", "Madonna", "Adele", "Hemingway", "Orwell",
      "Tolkien", "Rowling", "Dickens", "Tolstoy", "Dostoevsky", "Kafka", "Nietzsche", "Kant", "Descartes", "Hamlet",
      "Macbeth", "Othello", "Batman", "Superman", "Thatcher", "Reagan", "Nixon", "Roosevelt", "Eisenhower", "Truman",
      "Confucius", "Buddha", "Jesus", "Moses", "Nightingale", "Oppenheimer", "Feynman", "Hawking", "Turing",
      "Michelangelo", "Rembrandt", "Plath", "Woolf", "Cobain", "Hendrix", "Voltaire", "Rousseau", "Gatsby", "Frodo",
      "Gandalf", "Voldemort", "Dumbledore"};
  if (name.ends_with("'s")) name.remove_suffix(2);
  if (name.size() < 2) return false;
  constexpr size_t kSteps = 400;
  ReadingWork::Spend(kSteps);
  // Most differ in their first letters.
  const auto begins = [&](std::string_view known) {
    return known[0] == name[0] && known[1] == name[1] && name.starts_with(known);
  };
  const auto is = [&](std::string_view known) { return known[0] == name[0] && known == name; };
  return std::any_of(std::begin(kSingle), std::end(kSingle), is) ||
         std::any_of(std::begin(kKnown), std::end(kKnown), begins);
}

Word NextWord(std::string_view text, size_t at, size_t end) {
  while (at < end && !IsLetter(text[at])) ++at;
  Word word{at, at};
  while (word.end < end && (IsLetter(text[word.end]) || ((text[word.end] == '\'' || text[word.end] == '-') &&
                                                         word.end + 1 < end && IsLetter(text[word.end + 1]))))
    ++word.end;
  if (word.end - word.begin > 2 && text.substr(word.end - 2, 2) == "'s") word.end -= 2;
  return word;
}

void FindLatin(const Evidence& evidence, TextRange window, std::vector<PersonName>& names) {
  const std::string_view text = evidence.text();
  size_t at = window.begin;
  while (at > 0 && IsLetter(text[at - 1])) --at;
  while (at < window.end && names.size() < kNamesMax) {
    const Word first = NextWord(text, at, window.end);
    if (first.begin == first.end) return;
    at = std::max(first.end, at + 1);
    const std::string_view word = text.substr(first.begin, first.end - first.begin);
    if (!IsUpper(word[0])) {
      // A name in small letters only where a label says so.
      if (!evidence.Has(Cue::kNameLabel) || !evidence.Before(Cue::kNameLabel, {first.begin, first.begin}, 2)) continue;
    }
    const TextRange here{first.begin, first.begin};
    const bool title = evidence.Before(Cue::kTitleBefore, here, 2);
    const bool marked = title || evidence.Before(Cue::kPersonRole, here, 2) ||
                        evidence.Before(Cue::kNameLabel, here, 3) || evidence.Before(Cue::kSelfName, here, 1);
    if (!IsNamePart(word, marked)) continue;
    std::string lower(word);
    std::transform(lower.begin(), lower.end(), lower.begin(), LowerAscii);
    const bool known = IsGivenName(lower);
    if (!marked && !known) continue;
    size_t end = first.end;
    int parts = 1;
    while (parts < 4) {
      const Word next = NextWord(text, end, std::min(window.end + 24, text.size()));
      const std::string_view gap = text.substr(end, next.begin - end);
      if (next.begin == next.end ||
          (gap != " " && gap != ". " && gap != "\t" && !(gap == ", " && parts == 1 && marked)))
        break;
      const std::string_view part = text.substr(next.begin, next.end - next.begin);
      if (part.size() != 1 ? !IsNamePart(part, IsLower(word[0])) : !IsUpper(part[0])) break;
      end = next.end;
      ++parts;
    }
    if (parts < 2) continue;  // a full name: `Mr. Ford` is half of one
    const std::string_view name = text.substr(first.begin, end - first.begin);
    if (!IsPublicLatin(name))
      names.push_back({{first.begin, end}, marked && (known || parts >= 2) ? kMarked : known ? 0.5 : kBare});
    at = end;
  }
}

// Two characters that do not begin with a family name (`可以`) are more often a word.
bool IsShortHan(std::string_view text, const NameSpan& span) {
  return HanAt(text, span.begin) != 0 && span.end - span.begin <= 6 && !IsFamilyAt(text, span.begin);
}

// Small letters, and none of the words is a given name (`motor van`).
bool AreSmallWords(std::string_view name) {
  if (std::any_of(name.begin(), name.end(), [](char c) { return !IsLower(c) && c != ' '; })) return false;
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find(' ', at), name.size());
    if (IsGivenName(name.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

// What the tagger found besides, and not what it holds for a public figure or a character.
void AddTagged(const Evidence& evidence, TextRange window, std::vector<PersonName>& names) {
  const std::string_view text = evidence.text();
  for (const NameSpan& span : evidence.names()) {
    if (span.end <= window.begin || span.begin >= window.end || span.type == NameType::kAddress) continue;
    if (IsShortHan(text, span)) continue;
    if (!IsLetter(text[span.begin]) && static_cast<uint8_t>(text[span.begin]) < 0x80) continue;
    const auto overlaps = [&](const PersonName& name) {
      return name.range.begin < span.end && span.begin < name.range.end;
    };
    const auto known = std::find_if(names.begin(), names.end(), overlaps);
    if (span.type == NameType::kPublicPerson) {
      if (known != names.end() && known->score < kMarked) names.erase(known);
    } else if (known != names.end()) {
      known->score = std::max(known->score, kTagged);
    } else if (names.size() < kNamesMax && !IsNobody(text.substr(span.begin, span.end - span.begin)) &&
               !IsPublicLatin(text.substr(span.begin, span.end - span.begin))) {
      const std::string_view name = text.substr(span.begin, span.end - span.begin);
      const bool half = (IsLetter(name[0]) && name.find(' ') == std::string_view::npos) || AreSmallWords(name);
      names.push_back({{span.begin, span.end}, half ? kHalf : kTagged});
    }
  }
}

}  // namespace

std::vector<PersonName> FindNames(const Evidence& evidence, TextRange window) {
  std::vector<PersonName> names;
  FindChinese(evidence, window, names);
  FindLatin(evidence, window, names);
  AddTagged(evidence, window, names);
  return names;
}

}  // namespace headgate::router
