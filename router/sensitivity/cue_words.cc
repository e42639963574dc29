// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/cue_words.h"

namespace headgate::router {
namespace {

struct CueRow {
  Cue cue;
  std::string_view words;  // separated by '|'
};

constexpr CueRow kRows[] = {
    // ---- Numbers and their names ----
    {Cue::kResidentId,
     "身份证|身分证|居民身份|证件号|证件号码|公民身份|identity card|id card|id number|id no|citizen id|resident id|identity number|"
     "national id|一代证|二代证|身份号码"},
    {Cue::kPassport,
     "护照|passport|passport_number|passport_no|passportnumber|passportno|pp#|pp no|pasaporte|passeport|reisepass"},
    {Cue::kHongKongId, "香港身份证|香港居民身份证|香港永久|香港|hkid|hong kong id|hong kong|hk id"},
    {Cue::kMacauId, "澳门身份证|澳门居民身份证|澳门|macau|macao|bir"},
    {Cue::kTaiwanId, "台湾身份证|身分证|国民身份证|身份证字号|台湾|taiwan|roc id|身份证"},
    {Cue::kPermit,
     "通行证|回乡证|台胞证|居住证|港澳证|home return permit|mainland travel permit|travel permit|exit-entry permit|往来港澳|来往内地|来往大陆"},
    {Cue::kMilitaryId, "军官证|士兵证|军人证|文职干部证|警官证|退伍证|军字第|士字第|南字第|北字第|沈字第|兰字第|济字第|广字第|成字第|空字第|海字第|参字第|政字第|"
     "后字第|装字第|military id|military service number"},
    {Cue::kDriverLicence,
     "驾驶证|驾照|驾驶执照|档案编号|驾驶证档案编号|驾照档案编号|驾驶证档案号|driver license|driver licence|driver's license|"
     "driver's licence|drivers license|"
     "driving licence|driving license|drivers licence|dl number|dl no|dl|license|licence|driver_license|license no|"
     "licence no"},
    {Cue::kSocialSecurity, "社保号|社会保障号|社保卡|社会保障卡|社保账号|医保号|医保卡|医保编号|公积金账号|公积金号|个人公积金|社保电脑号|社保"},
    {Cue::kSsn,
     "my social|his social|her social|their social|full social|social is|social #|ssn|social security|"
     "social security number|soc sec|social_security_number"},
    {Cue::kItin, "itin|taxpayer identification|individual taxpayer"},
    {Cue::kNhs, "nhs|nhs number|nhs no"},
    {Cue::kNino, "national insurance|nino|ni number|ni no"},
    {Cue::kNationalId,
     "national id|national identity|aadhaar|dni|nie|nif|curp|nric|fin number|personnummer|cpf|codice fiscale|"
     "my number|cin|numero de securite sociale|sozialversicherungsnummer|personalausweis|alien registration|"
     "resident registration|sin number|voter id|state id|government id|tfn|medicare number|"
     "medicare card|medicare no|medicare #|mbi|a-number|alien number|"
     "pesel|nin|sin|health card|uscis|receipt number|bsn|nric no|emirates id|aadhar|ppsn|pps number|pps no|"
     "pan card|pan number|pan no|permanent account number|tax file number|sa id|south african id|kenyan id|"
     "ghana card|bvn|cnic|mykad|ic number|ic no|identity number|identity card|residence permit|cedula|philsys"},
    {Cue::kCaseNumber, "案号|案件编号|立案号|case no|case number|docket no|docket number|docket|cause no|case id"},
    {Cue::kBarNumber, "律师执业证|执业证号|执业证书号|bar no|bar number|bar id|state bar|bar registration"},
    {Cue::kEmployeeNo,
     "工号|员工编号|学号|准考证号|学籍号|employee id|employee number|employee no|staff id|student id|student number|badge number"},
    {Cue::kPlate,
     "reg plate|car plate|car reg|plate|plates|reg|registration|vehicle reg|tag number|"
     "车牌|车牌号|号牌|牌照|车辆|license plate|licence plate|number plate|plate number|plate no|vehicle registration|违章|停车|车主"},
    {Cue::kTaxId,
     "纳税人识别号|税号|税务登记号|tax id|taxpayer id|ein|employer identification|tax number|tin"},
    {Cue::kRouting, "routing|routing number|aba number|aba routing|aba|routing_number|rtn"},
    {Cue::kSwift, "iban|swift|bic|swift code|swift/bic|swift_code"},
    {Cue::kAccount,
     "银行账号|银行账户|银行卡号|银行卡|储蓄卡|借记卡|信用卡号|收款账号|收款账户|账号|账户|帐号|帐户|对公账户|开户行|卡号|尾号|bank account|account number|account no|"
     "acct|acct no|a/c no|a/c|account #|account_number|accountnumber|account num|beneficiary account|checking account|"
     "savings account|account|brokerage account|loan number|loan no|loan #|loan id|loan account|mortgage account|"
     "brokerage acct|证券账户|证券账号|股票账户|资金账号|资金账户|股东账号|股东账户|股东号|期货账户|存折账号|存折|贷款账号|还款账号|借据号|贷款编号|贷款合同号|贷款合同编号|借款合同号|商户号|"
     "bsb|支付宝账号|支付宝|bank_account|acc no|kontonummer|sort code|基本户|一般户|对公户|结算户|公户|农商行|招行|建行|工行|农行|交行|邮储|信用社|"
     "checking acct|savings acct|savings"},
    {Cue::kCard,
     "卡号|信用卡|银行卡|储蓄卡|借记卡|card number|credit card|debit card|card no|card #|visa|mastercard|amex|card|cards|my card"},
    {Cue::kCvv, "cvv|cvv2|cvc|cvc2|cvn|安全码|security code|card verification|卡背面"},
    {Cue::kCrypto, "btc|bitcoin|eth|ethereum|usdt|wallet|wallet address|比特币|以太坊|钱包|钱包地址|trc20|erc20|crypto"},
    {Cue::kPhone,
     "电话|手机|座机|固话|联系方式|联系电话|传真|致电|拨打|来电|热线|phone|telephone|tel|mobile|cell|call me|call us|fax|contact number|mob|"
     "txt|text my|text her|text him|numero|handynummer|telefono|telefon|celular|联络|联络电话|phone number|reach me|"
     "whatsapp|cellphone|call|dial|text me|contact|ring|number is|voicemail|打给|号码是|new number|old number|my number|"
     "his number|her number|their number|number should be|ring me|ring him|ring her|call him|call her|text me at|"
     "msisdn|mob no|ph|ph no|contact no|tel no|direct line|direct dial|landline|my line|desk phone|home phone|"
     "work phone|on his cell|on her cell|text him on|电话号|手机号|手机号码|电话号码|来电显示|回电|打电话|加电话|短信|绑定手机|预留手机|联系他|联系她|联系我|小灵通|"
     "answering at|messages to|calls to|my registered|registered number"},
    {Cue::kWechat,
     "微信|微信号|wechat|wechat id|weixin|wxid|wx|vx|v:|v信|加v|加微|薇信|威信|加我薇|加薇|加我微|加我v|加我vx|加我微信|我的微|我微|我薇|绿泡泡|微我|加vx|加wx|"
     "wx号|vx号|薇号|微号|我的号|我号"},
    {Cue::kQq, "qq|qq号|扣扣|企鹅号|q号|q:|加我qq|加q|扣扣号|q号码|qq群|群号"},
    {Cue::kMessenger,
     "telegram|telegram id|tg号|tg账号|电报号|飞机号|line id|lineid|line号|line账号|skype|skype id|discord|discord id|"
     "discord user|discord tag|钉钉号|钉钉id|钉钉账号|飞书号|抖音号|快手号|小红书号|微博号|微博id|陌陌号|探探号|kakao|kakao id|kakaotalk|"
     "kakaotalk id|snap|snapchat|snapchat id|viber|viber id|zalo|threema|推特小号|推特号|instagram dm|ig号|脸书号|"
     "telegram handle|telegram username|tg:|signal number|wechat id|insta|insta dm|ig handle|instagram|"
     "snap username|teams id|skype name|matrix id"},
    {Cue::kMedicalNo,
     "病历号|病案号|住院号|门诊号|就诊号|就诊卡号|就诊卡|病历编号|病案编号|检验单号|床号|标本号|影像号|mrn|medical record number|medical record no|"
     "chart number|chart no|patient id|patient no|patient number|hospital number|hospital no|"
     "hosp number|hosp no|medical_record_number|med rec|"
     "encounter number|accession number|medical record #|admission number"},
    {Cue::kInsuranceNo,
     "保单号|保单|保险单号|投保单号|理赔号|policy number|policy no|policy #|policy id|claim #|member #|insurance number|"
     "insurance id|insurance policy|member id|group number|subscriber id|claim number|claim no|health insurance id|"
     "insurance no|health plan|member number|mbi|medicare beneficiary|medicare number|medicare id|medicare no"},
    {Cue::kIpAddress, "ip|ip address|ip地址|ipv4|ipv6|服务器|登录ip|主机|server|host|logged in from|connect to|ssh"},
    // ---- Credentials ----
    {Cue::kPassword,
     "密码|口令|登录密码|支付密码|交易密码|取款密码|解锁密码|开机密码|wifi密码|password|passwd|pwd|passphrase|passcode|pass phrase|pin|pin code|"
     "pin number|db_password|db_pass|redis_password|mysql_root_password|user_password|passw|pw|psw|root_password|"
     "admin_password|contrasena|passwort|mot de passe|db_passwd|登陆密码|默认密码|初始密码|userpass|unlock code|mysql_pwd|"
     "pgpassword|postgres_password|mysql_password|dbpassword|requirepass|smtp_password|mail_password|credentials|"
     "pass"},
    {Cue::kSecret,
     "secret|client_secret|clientsecret|api_key|apikey|api key|api-key|access_key|accesskey|access key|secret_key|"
     "secretkey|secret key|access token|access_token|accesstoken|auth_token|authtoken|auth token|refresh_token|"
     "token|private_key|app_secret|appsecret|app secret|app_key|appkey|signing_key|encryption_key|aes_key|"
     "x-auth|x-token|x-access-token|"
     "webhook_secret|session_token|jwt_secret|aws_secret_access_key|secret access key|accesskeysecret|accesskeyid|"
     "access_key_secret|access_key_id|x-api-key|密钥|秘钥|令牌|访问密钥|私钥|助记词|授权码|recovery code|seed phrase|mnemonic|"
     "license key|account_key|accountkey|sharedaccesskey|sas token|consumer_secret|django_secret_key|flask_secret|"
     "deploy key|bot_token|bot token|corpsecret|api_token|api token|secret_access_key|backup code|backup codes|"
     "recovery codes|psk|pre-shared key|preshared key|共享密钥|备用码|恢复码|小程序密钥"},
    {Cue::kOneTimeCode,
     "验证码|校验码|动态码|动态口令|动态密码|短信码|确认码|verification code|otp|one-time code|one time code|one-time password|"
     "one time password|2fa code|2fa|login code|security code|auth code|confirmation code|authentication code|"
     "code they texted|code you texted|code i got|code i received|sms code|sign in code|sign-in code|mfa code|"
     "authenticator code|passcode|the app shows|app shows|otp came through|authenticator shows|authenticator says|"
     "短信让我输|短信里的数字|app上显示|验证器显示"},
    {Cue::kCookie,
     "cookie|set-cookie|sessionid|session_id|phpsessid|jsessionid|asp.net_sessionid|connect.sid|csrftoken|"
     "session cookie|sessid|sid|xsrf-token|laravel_session|auth_session|bduss|sessdata|z_c0|passport_auth|_session|"
     "session"},
    {Cue::kBearer, "authorization|bearer|basic auth|proxy-authorization|x-auth-token|authorization: basic"},
    {Cue::kCommand,
     "curl|mysql|mysqldump|mysqladmin|mariadb|redis-cli|sshpass|mongosh|mongodump|clickhouse-client|docker login|"
     "podman login|helm registry login|az login|oc login|sqlcmd|ldapsearch|smbclient|snmpget|ipmitool|mongo|"
     "rabbitmqctl|influx"},
    {Cue::kSeedPhrase, "助记词|seed phrase|mnemonic|recovery phrase|recovery words|recovery sheet|backup phrase|"
     "wallet words|secret phrase|seed words"},
    {Cue::kAccessCode,
     "key safe|key safe code|keysafe|lockbox|lock box|lockbox code|gate code|door code|alarm code|keypad code|"
     "entry code|building code|garage code|vault code|safe code|safe combination|safe combo|locker combination|"
     "combination to the safe|combination of the safe|combination lock|vault combination|门禁|门禁密码|门禁码|保险柜|"
     "保险柜密码|保险箱|保险箱密码|密码锁|密码柜|钥匙盒|开门密码|柜子密码"},
    {Cue::kTokenParameter,
     "access_token=|token=|sig=|signature=|api_key=|apikey=|key=|auth=|secret=|sessionid=|x-amz-signature=|code=|"
     "passwd=|pwd=|password="},
    // ---- Persons ----
    {Cue::kNameLabel,
     "姓名|名字|患者姓名|客户姓名|联系人|收件人|收货人|寄件人|经办人|当事人|紧急联系人|持卡人|开户人|户名|账户名|申请人|投保人|被保险人|受益人|债务人|借款人|担保人|被告人|犯罪嫌疑人|嫌疑人|原告|被告|"
     "委托人|报案人|受害人|被害人|证人|监护人|家长|谈话对象|考核对象|申报人|登记人|投诉人|反映人|来访人|受访人|被调查人|病人姓名|学生姓名|收款人|full name|patient name|"
     "customer name|client name|employee name|name|first name|"
     "last name|cardholder|account holder|recipient|ship to|bill to|applicant|candidate name|borrower|beneficiary|"
     "emergency contact|next of kin|insured|policyholder|contact person|attn|surname|student name|employee|re"},
    {Cue::kPersonRole,
     "主管|表姐|表妹|表哥|表弟|堂哥|堂弟|堂姐|堂妹|侄子|侄女|外甥|外甥女|姑姑|姨妈|舅舅|叔叔|前女友|前男友|女友|男友|女朋友|男朋友|未婚夫|未婚妻|店长|业务员|组长|学姐|学长|师兄|师姐|闺蜜|发小|"
     "爷爷|奶奶|外公|外婆|姥姥|姥爷|岳父|岳母|公公|婆婆|弟弟|妹妹|哥哥|姐姐|嫂子|班主任|辅导员|教练|保姆|月嫂|护工|村民|居民|嫌疑人|患者|病人|客户|员工|同事|候选人|学生|同学|孩子|女儿|儿子|"
     "丈夫|妻子|老公|老婆|租客|房东|业主|会员|用户|乘客|下属|学员|应聘者|求职者|乙方|甲方|病患|产妇|死者|伤者|当事人|前妻|前夫|邻居|室友|我妈|我爸|母亲|父亲|patient|client|"
     "customer|employee|candidate|student|colleague|applicant|tenant|borrower|defendant|plaintiff|suspect|victim|"
     "witness|coworker|co-worker|roommate|my neighbor|my neighbour|my boss|my manager|my husband|my wife|my son|"
     "my daughter|my ex|member|passenger|subscriber|resident|inmate|pt|teammate|my friend|my sister|my brother|"
     "my mother|my father|direct report|claimant|policyholder|insured|guest|nurse|donor|前台|保洁|实习生|矫正对象|发展对象|应届生|表叔|"
     "侄媳|儿媳|女婿|老公公|同桌|学员家长|反映人|举报人|投诉人|借款人|来访者|家教|intern|my colleague|my coworker|our driver|the tenant|my tenant|"
     "my landlord|my uncle|my aunt|my cousin|my nephew|my niece|my flatmate|my housemate|my roommate|my assistant|"
     "my student|my ex-husband|my ex-wife|new starter|new hire|trainee|apprentice|lodger|carer|caregiver|pupil|"
     "grandson|granddaughter|son-in-law|daughter-in-law|stepson|stepdaughter|my late husband|my late wife|队长|班长|处长|"
     "科长|村长|支书|站长|所长|厂长|校长|院长|出纳|助理|秘书|文员|店员|厨师|电工|技师|研究员|保安|receptionist|our nurse|our intern|our accountant|"
     "bookkeeper"},
    {Cue::kSelfName, "我叫|我是|本人|我的名字是|我的名字叫|名叫|叫做|名为|my name is|i am|i'm|this is|named|called"},
    {Cue::kTitleAfter, "先生|女士|小姐|同学|老师|经理|主任|医生|总监|太太|阿姨|师傅|律师|护士|教授|工程师|会计|同志"},
    {Cue::kTitleBefore, "mr|mrs|ms|miss|mr.|mrs.|ms.|dr.|prof.|sir|madam"},
    {Cue::kBirth,
     "年生|月生|日生|出生|出生日期|生日|出生年月|生于|date of birth|dob|d.o.b|d.o.b.|born|born on|birth date|birthdate|birthday|"
     "date_of_birth|birth_date|year of birth|b.|born in|年出生|月出生|出生于|属相"},
    {Cue::kAgeWord, "岁|年龄|周岁|years old|year old|year-old|aged|age|yo|y/o|y.o.|years of age"},
    {Cue::kGender, "性别|男|女|gender|sex|male|female"},
    {Cue::kSalary,
     "工资|薪资|月薪|年薪|底薪|薪水|薪酬|奖金|年终奖|绩效工资|实发|一个月拿|每月拿|一年拿|到手工资|税后收入|收入|社保基数|调薪|涨薪|salary|annual salary|base pay|"
     "compensation|payroll|"
     "annual income|take-home|bonus|pay raise|net pay|gross pay|wage|income|makes $|earns|base salary|hourly rate|"
     "severance|加薪|加薪到|降薪|薪级|时薪|日薪|年包|提成|佣金|课时费|劳务费|加班费|期望薪资|期望月薪|"
     "目前薪资|低保|补偿金|年度包|take home|earned|stipend|day rate|pension|per annum|"
     "salaries|wages|bonuses|commissions|commission sheet|commission statement|commission report|sales commission|"
     "a month|on benefits|housing benefit|allowance"},
    {Cue::kMarital,
     "离异|已婚|未婚|离婚|丧偶|再婚|婚姻状况|单亲|divorced|married to|widowed|marital status|custody|separated from|single mother|"
     "pregnant|divorce|怀孕|出轨|单亲妈妈|单亲爸爸|已婚未育|未婚先孕|在办离婚|分居|maternity|maternity leave|paternity|single dad|single mum|"
     "single mom|single father|ex-wife|ex-husband|child support|remarried|child custody|foster care|adopted|widow|"
     "widower|engaged to|领养|收养|二婚|未婚夫|私生子|同居"},
    {Cue::kBelief,
     "宗教信仰|信仰|基督徒|基督教徒|天主教徒|穆斯林|佛教徒|法轮功|党员|政治面貌|入党|民主党派|共青团员|muslim|christian|catholic|jewish|hindu|buddhist|"
     "religion|religious belief|party member|union member|voted for|registered democrat|registered republican|"
     "atheist|political affiliation|mormon|sikh|信佛|信教|信基督|信主|清真|做礼拜|吃斋|sunni|shia|shiite|jehovah|pentecostal|"
     "evangelical|quaker|buddhism|islam|baptist|protestant|基督教|天主教|伊斯兰|佛教|道教|ismaili"},
    {Cue::kEthnic,
     "民族|汉族|维吾尔族|藏族|回族|满族|蒙古族|壮族|苗族|彝族|朝鲜族|ethnicity|hispanic|african american|caucasian|ethnic|native american|"
     "nationality|国籍|籍贯"},
    {Cue::kSexuality,
     "同性恋|双性恋|性取向|跨性别|出柜|gay|lesbian|bisexual|transgender|sexual orientation|hiv|hiv positive|hiv-positive|"
     "transitioning|trans woman|trans man|came out as|non-binary|gender reassignment|sex change|变性|性别重置|公开出柜|喜欢男生|"
     "喜欢女生|同志恋人"},
    {Cue::kOffence,
     "前科|判刑|被捕|拘留|吸毒|犯罪记录|酒驾|盗窃|诈骗|逮捕|服刑|缓刑|有期徒刑|羁押|取保候审|失信|欠款|逾期|convicted|arrested|criminal record|felony|dui|"
     "on probation|sentenced to|misdemeanor|indicted|drug offense|shoplifting|embezzl|parole|overdue|sued|"
     "bankruptcy|坐过牢|坐牢|刑满释放|蹲过监狱|劳教|矫正对象|社区矫正|被起诉|遭起诉|起诉书|嫖娼|偷税|行贿|受贿|挪用|ankle monitor|on bail|in prison|"
     "pleaded guilty|charged with|police report|restraining order|drug test|evicted|eviction|behind on rent|喝酒|酗酒|"
     "被判|刑拘|帮信罪|寻衅滋事|肇事逃逸|醉驾|赌债|嗜赌|拿回扣|收红包|打人|打架|家暴|drinks|taking cash|racial abuse|gambling|stealing|drunk"},
    {Cue::kDiscipline,
     "处分|警告处分|记过|开除|辞退|绩效考核|绩效评级|旷工|停职|约谈|违纪|留用察看|terminated|disciplinary|written warning|performance review|"
     "performance rating|misconduct|suspended|fired for|improvement plan|pip|harassment complaint|complaint against|"
     "被投诉|睡岗|顶撞|迟到|旷课|作弊|抄袭|情绪不稳定|延毕|末位淘汰|优化名单|laid off|绩效|转正评估|试用期|记大过|降级|撤职|书面警告|扣奖金|不同意转正|劝退|被开除|被辞退|投诉她|投诉他|信访|"
     "被裁|let go|not renewing|"
     "final warning|warning letter|write warning|written up|dismissal|dismissed|redundant|redundancy|grievance|"
     "suspension|absences|low ratings|low rating|underperforming|demoted|probation|plagiarism|expelled"},
    {Cue::kSchoolJob,
     "毕业于|就读于|学历|入职|任职|工号|学号|班级|就职于|成绩|挂科|考了|gpa|transcript|works at|employed at|employed by|graduated from|"
     "studied at|hired on|job title|enrolled at|student at|resume|简历|grade point|attends|credit score|芝麻分|征信|信用评分|"
     "绩点|学籍|转学|留级|休学|退学|政审|中考|高考成绩|家长会|grade sheet|sat score|offer letter|visa expires|visa|asylum|immigration|"
     "report card|iep|special needs|learning difficulties|notice period|interview notes|study permit|green card|"
     "deportation|refugee"},
    {Cue::kDiagnosis,
     "确诊|诊断|患有|病史|抑郁症|焦虑症|糖尿病|高血压|乙肝|肺癌|乳腺癌|肿瘤|艾滋|精神分裂|住院|手术|化验|检查结果|体检|流产|白血病|肝癌|胃癌|diagnosed with|diagnosed|"
     "diagnosis|suffers from|medical history|cancer|diabetes|depression|bipolar|schizophrenia|surgery|hospitalized|"
     "admitted|discharged|test results|biopsy|tested positive|prescribed|chemotherapy|rehab|overdose|miscarriage|"
     "abortion|epilepsy|asthma|hepatitis|anxiety disorder|ptsd|eating disorder|medical leave|sick leave|抑郁|自闭症|残疾|"
     "残疾二级|精神疾病|双相|化疗|透析|骨折|怀孕|试管|住了院|病假|戒毒|autism|autistic|adhd|antidepressants|antidepressant|allergic to|allergy|"
     "in recovery|recovering|alcoholic|addict|relapsed|dialysis|chemo|dementia|alzheimer|parkinson|disabled|"
     "wheelchair|suicidal|self-harm|overdosed|seizure|seizures|ivf|icu|hospice|concussion|diabetic|therapy|"
     "therapist|burnout|burned out|signed off sick|off sick|sick note|nervous breakdown|panic attacks|癌|中风|卒中|脑梗|心梗|"
     "骨髓|截肢|癫痫|哮喘|甲亢|结核|梅毒|hpv|痛风|红斑狼疮|帕金森|阿尔茨海默|痴呆|尿毒症|肝硬化|冠心病|房颤|心衰|"
     "支架|搭桥|宫外孕|人流|不孕|唐氏|多动症|强迫症|自残|自杀|割腕|吞药|放疗|靶向药|瘫痪|幽门螺杆菌|阅读障碍|阳性|dyslexia|"
     "dyslexic|biopsied|stroke|hysterectomy|lymphoma|leukaemia|leukemia|chlamydia|syphilis|sectioned|psychosis|"
     "anorexia|"
     "bulimia|sertraline|antipsychotic|detox|methadone|colostomy|knee replacement|hip replacement|stent"},
    {Cue::kMedication,
     "服用|用药|处方|口服|mg|毫克|prescribed|prescription|dosage|metformin|lisinopril|insulin|二甲双胍|胰岛素|阿司匹林"},
    {Cue::kIllness,
     "hiv positive|hiv-positive|hiv|cancer|carcinoma|tumour|tumor|leukaemia|leukemia|lymphoma|melanoma|myeloma|"
     "diabetes|diabetic|epilepsy|epileptic|asthma|copd|dementia|alzheimer's|alzheimers|parkinson's|parkinsons|"
     "multiple sclerosis|motor neurone|huntington's|schizophrenia|schizophrenic|bipolar|depressed|"
     "clinical depression|postnatal depression|postpartum depression|psychosis|psychotic|ptsd|ocd|adhd|autism|"
     "autistic|asperger's|dyslexia|dyslexic|dyscalculia|tourette's|anorexia|anorexic|bulimia|bulimic|"
     "eating disorder|self-harm|self harm|self-harming|suicidal|overdosed|relapsed|heroin|cocaine|methadone|rehab|"
     "sectioned|tuberculosis|hepatitis|cirrhosis|pancreatitis|crohn's|crohns|colitis|coeliac|lupus|rheumatoid|"
     "sickle cell|haemophilia|hemophilia|cystic fibrosis|muscular dystrophy|cerebral palsy|down syndrome|"
     "down's syndrome|spina bifida|kidney failure|kidney disease|dialysis|heart failure|heart attack|angina|"
     "pacemaker|stent|bypass surgery|aneurysm|mini-stroke|brain bleed|seizure|seizures|concussion|paralysed|"
     "paralyzed|amputation|amputated|chemo|chemotherapy|radiotherapy|mastectomy|hysterectomy|miscarriage|"
     "miscarried|stillbirth|an abortion|ectopic|ivf|infertile|endometriosis|pcos|chlamydia|gonorrhea|gonorrhoea|"
     "syphilis|herpes|hpv|an std|an sti|shingles|meningitis|pneumonia|sepsis|icu|intensive care|ventilator|biopsy|"
     "biopsied|lumpectomy|skin graft|herniated disc|slipped disc|scoliosis|osteoporosis|fibromyalgia|glaucoma|"
     "macular degeneration|hypertension|high blood pressure|thyroid|hypothyroidism|hyperthyroidism|sperm count|"
     "egg count|ct scan|antidepressants|insulin|methotrexate|sertraline|fluoxetine|citalopram|escitalopram|"
     "lamotrigine|quetiapine|olanzapine|clozapine|risperidone|aripiprazole|warfarin|metformin|humira|adalimumab|"
     "biktarvy|truvada|suboxone|adderall|ritalin|vyvanse|xanax|tamoxifen|prednisone|levothyroxine|keppra|"
     "valproate|mental breakdown|nervous breakdown|panic disorder|borderline personality|brain tumour|brain tumor|"
     "stage 4|stage iv|colostomy|stoma|catheter|incontinent|incontinence|erectile dysfunction|vasectomy|糖尿病|"
     "高血压|冠心病|心梗|心衰|房颤|心肌炎|脑梗|脑出血|中风|卒中|偏瘫|癫痫|抑郁症|重度抑郁|中度抑郁|双相|躁郁|"
     "焦虑症|强迫症|精神分裂|精分|自残|割腕|割手|自杀未遂|吞药|吞了药|厌食症|暴食症|孤独症|自闭症|多动症|抽动症|"
     "智力障碍|发育迟缓|老年痴呆|阿尔茨海默|帕金森|渐冻症|癌|肿瘤|白血病|淋巴瘤|脑瘤|艾滋|梅毒|淋病|尖锐湿疣|疱疹|"
     "乙肝|丙肝|肝硬化|腹水|肺结核|尘肺|矽肺|哮喘|肺纤维化|尿毒症|肾衰|透析|肾源|换肾|肾移植|肝移植|骨髓移植|"
     "骨髓穿刺|骨穿|化疗|放疗|靶向药|起搏器|截肢|造瘘|切了半个胃|切除术|胎停|流产|宫外孕|无精|弱精|不孕|子宫肌瘤|"
     "卵巢早衰|红斑狼疮|类风湿|痛风|强直性脊柱炎|甲亢|甲减|甲状腺结节|肺结节|乳腺结节|胃溃疡|克罗恩|血友病|"
     "地中海贫血|再障|先心病|唐氏|脑瘫|植物人|戒毒所|戒毒|吸毒|复吸|酒精依赖|舍曲林|胰岛素|二甲双胍|氯氮平|奥氮平|"
     "碳酸锂|华法林|吉非替尼|奥希替尼|腰椎间盘突出|股骨头坏死|骨折|烧伤|植皮|青光眼|白内障|视网膜脱落|耳聋|失聪|"
     "带状疱疹|脑膜炎|败血症|羊水栓塞|产后抑郁|tore his acl|tore her acl|torn acl|acl tear|acl surgery|"
     "kidney transplant|liver transplant|heart transplant|bone marrow transplant|lung transplant|had a stroke|"
     "another stroke|second stroke|a mild stroke|a massive stroke|stroke last|stroke in|心脏支架|装了支架|"
     "放了支架|支架植入|放支架|心脏搭桥|搭桥手术|做人流|人流手术|人流第|人流后|试管婴儿|做试管|打生长激素"},
    {Cue::kRelative,
     "我妈|我爸|我妹|我弟|我姐|我哥|我奶奶|我爷爷|我外婆|我外公|我姥|我儿子|我女儿|我家娃|我孩子|我娃|我老公|"
     "我老婆|我丈夫|我妻子|我媳妇|我对象|我男朋友|我女朋友|我婆婆|我公公|我表|我堂|我舅|我叔|我姑|我姨|我侄|"
     "我外甥|我同事|我同桌|我室友|我闺蜜|我朋友|我徒弟|我领导|我老板|我邻居|我学生|我下属|我师傅|我租客|我房东|"
     "我岳|老公|老婆|丈夫|妻子|媳妇|婆婆|公公|岳父|岳母|丈母娘|老丈人|老伴|妈妈|爸爸|奶奶|爷爷|外婆|外公|姥姥|"
     "姥爷|舅舅|舅妈|叔叔|姑姑|姑妈|姨妈|小姨|表哥|表姐|表弟|表妹|堂哥|堂弟|堂姐|堂妹|哥哥|姐姐|弟弟|妹妹|儿子|"
     "女儿|闺女|儿媳|女婿|侄子|侄女|外甥|孙子|孙女|女友|男友|女朋友|男朋友|未婚夫|未婚妻|前妻|前夫|前任|房东|室友|"
     "舍友|同桌|同事|闺蜜|发小|下属|合伙人|我们经理|我们领导|我们老板|我们组长|我们主任|健身教练|家教老师|实习生|"
     "邻居家|班里一个|班上一个|班里有个|班上有个|有个学生|有个员工|有个同事|组里一个|组里有个|一个朋友|一个员工|"
     "一个学生|一个同事|亲戚|大伯|二叔|三叔|小叔|大姑|嫂子|姐夫|妹夫|弟媳|保姆|月嫂|司机师傅|孩子他爸|孩子他妈|"
     "孩子爸|孩子妈|孩子舅|隔壁床|隔壁老"},
    // ---- Places ----
    {Cue::kHome,
     "住址|家住|住在|收货|收件|寄到|寄往|送到|家庭住址|现住|户籍|户口|居住|租住|住处|房号|搬到|邮寄|上门|配送|派送|快递到|送货|live at|lives at|living at|living in|"
     "resides at|residing at|home address|ship to|deliver to|mailing|shipping|billing|moved to|my place|our place|"
     "new place|my house|my home|residence|mail it to|send it to|delivery|reside at|reside|delivered to|"
     "my apartment|our house|our flat|my flat|新郎家|新娘家|男方家|女方家|娘家|婆家|教工宿舍|职工宿舍|家属院|"
     "lives on|live on|stay at|staying at|pick me up|apartment|residing|domiciled|dirección|adresse"},
    {Cue::kAddressWord, "地址|联系地址|坐落|位于|门牌|address|located at|addr"},
    {Cue::kStreetWord,
     "street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|terrace|way|circle|cir|highway|"
     "hwy|parkway|pkwy|square|sq|trail|close|crescent|row|gardens|gdns|grove|plaza|mews|parade|esplanade|quay|"
     "passage|wharf|alley|loop|turnpike|crossing|ridge|walk|heights"},
    {Cue::kUnitWord, "apt|apt.|apartment|unit|flat|po box|p.o. box|post office box|p o box"},
    {Cue::kOfficeUnit, "suite|ste|floor|room"},
    {Cue::kRegion, "省|市|自治区|自治州|区|县|镇|乡|街道|开发区"},
    {Cue::kCompany,
     "公司|总部|酒店|博物馆|门店|医院地址|景点|餐厅|大使馆|法院|政府|大学|学院|商场|营业厅|headquarters|headquartered|museum|hotel|restaurant|embassy|"
     "store|office|corporation|inc|llc|university|library|theater|theatre|landmark|white house|cathedral|station|"
     "stadium|景区|旅游|博览|展览|图书馆|体育馆|写字楼|building|airport|arena|showroom|courthouse|town hall|city hall|post office|"
     "consulate|dmv|opening hours|directions to|get there|how do i get|客服|营业时间|怎么坐|挂号|地铁|医院|博物院|故宫|纪念馆|美术馆|"
     "派出所|税务局|车管所|机场|火车站|"
     "专卖店|旗舰店|客运站|开业|门市|分店|工作室|注册地址|办公地址|ltd|limited|registered in|our shop|"
     "we run a|repair shop|shop at|instagram bio|抖音简介|head office|our office|公司地址|open mon|open daily|open sat|"
     "google business|about page|gmbh|imprint|impressum|"
     "showrooms|bakery|café|cafe|menu|dinner from|lunch from|服务中心|办事大厅|点开门|open 8|open 9|open 10"},
    // ---- Documents ----
    {Cue::kRecordHeading,
     "主诉|现病史|既往史|个人史|婚育史|家族史|过敏史|体格检查|查体|专科检查|辅助检查|初步诊断|入院诊断|出院诊断|出院医嘱|诊断意见|处理意见|诊疗经过|治疗方案|入院情况|出院情况|临床诊断|病程记录|处方|"
     "医嘱|检查所见|影像所见|超声所见|镜下所见|生命体征|手术记录|麻醉方式|术前诊断|术后诊断|用法用量|诊断|检查结果|月经史|检验结果|护理记录|主要症状|入院日期|出院日期|科室|住院号|病历号|"
     "chief complaint|cc|hpi|history of present illness|past medical history|pmh|past surgical history|psh|"
     "family history|fh|social history|sh|review of systems|ros|physical exam|physical examination|vitals|"
     "vital signs|assessment|plan|assessment and plan|impression|medications|current medications|home medications|"
     "allergies|discharge diagnosis|admission diagnosis|discharge summary|discharge medications|hospital course|"
     "labs|lab results|laboratory data|findings|procedure performed|disposition|diagnosis|rx|subjective|objective|"
     "admission date|discharge date|exam|indication|treatment plan|preoperative diagnosis|postoperative diagnosis|"
     "anesthesia|specimen|immunizations"},
    {Cue::kRecordStrong,
     "现病史|体格检查|入院诊断|出院诊断|出院医嘱|诊疗经过|主诉|chief complaint|history of present illness|hpi|past medical history|"
     "review of systems|hospital course|discharge diagnosis|discharge summary|discharge medications|出院小结|入院记录|病程记录|"
     "门诊病历|住院病历|查房记录"},
    {Cue::kLabItem,
     "wbc|rbc|hgb|plt|hemoglobin|hematocrit|creatinine|bun|glucose|hba1c|a1c|ldl|hdl|triglycerides|tsh|alt|ast|"
     "sodium|potassium|troponin|crp|esr|bp|heart rate|hr|spo2|blood pressure|temp|pulse|resp|respiratory rate|白细胞|"
     "红细胞|血红蛋白|血小板|中性粒细胞|肌酐|尿素氮|尿酸|空腹血糖|糖化血红蛋白|总胆固醇|甘油三酯|谷丙转氨酶|谷草转氨酶|总胆红素|血压|体温|脉搏|心率|血氧|促甲状腺激素|甲胎蛋白|癌胚抗原|ca125|"
     "淋巴细胞|bmi|psa|inr|albumin|bilirubin|platelets|血糖"},
    {Cue::kDoctorTurn, "doctor:|dr:|dr.:|physician:|clinician:|医生:|大夫:|医师:|nurse:|provider:|therapist:"},
    {Cue::kPatientTurn, "patient:|pt:|患者:|病人:|guest_family:|家属:|client:"},
    {Cue::kMarkingStrong,
     "请勿外传|不得外传|严禁外传|切勿外传|勿外传|禁止外传|不要外传|请勿转发|严禁转发|禁止转发|不得转发|仅限内部|仅供内部|内部使用|内部资料|内部绝密|商业机密文件|公司机密|绝密级|机密级|秘密级|内部公开|"
     "仅限收件人|注意保密|严格保密|请保密|不得对外|不对外公开|暂不对外|不得泄露|严禁泄露|内部传阅|阅后即焚|保密级别|密级|保密期限|内部讨论稿|do not forward|do not distribute|"
     "not for distribution|not for external distribution|for internal use only|internal use only|internal only|"
     "company confidential|strictly confidential|highly confidential|confidential and proprietary|"
     "proprietary and confidential|private and confidential|not for public release|not for release|do not share|"
     "under nda|under our nda|under their nda|covered by nda|subject to nda|under embargo|embargoed until|embargoed|"
     "confidential - |most confidential|do not circulate|do not disclose|confidential information of|"
     "trade secret of|internal memo|"
     "not to be shared|keep this confidential|keep this internal|keep it confidential|don't share this|do not copy|"
     "restricted circulation|need-to-know|commercial in confidence|commercially sensitive|internal distribution|"
     "别传出去|不要传出去|别外传|请勿扩散|请勿外泄|严禁外泄|勿外泄|"
     "勿扩散|不要外泄|不能外泄|不得外泄|切勿外泄|仅限与会人员|仅限参会|仅供董事会|限处级|限局级|对外保密|先别对外|别对外说|先别外传|内部机密|签了保密协议|保密特权|"
     "保密件|don't share outside|do not share outside|stays between us|hr eyes only|"
     "board eyes only|partner eyes only|l2 and above only|for board members only|not for circulation|not for onward|"
     "restricted distribution|do not redistribute|please don't forward|not leave this room|do not disseminate|"
     "attorney work product|under strict nda|signed an nda|strictly private|strictly internal|confidential draft|"
     "in strict confidence|classification: restricted|classification: secret|classification: confidential"},
    {Cue::kMarkingBare,
     "机密|绝密|秘密|保密|绝密文件|机密文件|内部文件|top secret|eyes only|attorney-client privilege|confidential|classified|proprietary|"
     "internal|restricted|trade secret|company secret|商业秘密|技术秘密"},
    {Cue::kPrivilege,
     "attorney-client privileged|attorney client privileged|privileged and confidential|privileged & confidential|"
     "attorney work product|attorney-client communication|律师保密特权|特权通信|律师函特权"},
    {Cue::kUnpublished,
     "尚未公布|尚未公开|未公开|未披露|尚未披露|未发布|尚未发布|未对外|未正式公布|公告前|拟收购|拟并购|收购方案|并购方案|裁员名单|裁员计划|裁员方案|底价|报价底线|标底|内幕|财报草稿|业绩预告草稿|"
     "未申请专利|尚未申请专利|专利交底|人事任免方案|定价策略内部|not yet announced|not yet public|unannounced|unreleased|unpublished|"
     "before the announcement|before we announce|prior to public|pre-announcement|not been announced|"
     "not yet disclosed|undisclosed|unfiled|not yet filed|before filing|layoff list|reduction in force|board deck|"
     "draft earnings|term sheet|letter of intent|project codename|codename|code name|code-named|material non-public|"
     "mnpi|our floor price|walk-away price|internal forecast|不要告诉|未上市|保密项目|还没公布|还没公开|还没发布|没有公布|没公布|没公开|没发布过|没发布|没对外|"
     "还没对外|未对外公布|未对外公开|还没公告|下周公告|才公告|披露前|没官宣|未官宣|专利没交|专利还没交|没申请专利|没交专利局|还没报批|还没批|内部定价|谈判底线|我方底线|not released yet|"
     "not yet released|have not filed|not filed|haven't filed|haven't announced|have not announced|"
     "hasn't been announced|not announced|nobody knows|no one knows|not public|isn't public|before it is public|"
     "before it goes public|staff told on|pricing floor|price floor|our floor|reserve price|pre-release|pre-launch|"
     "mustn't find out|must not find out|doesn't know yet|don't know yet|do not know yet|unaware|no patch yet|"
     "no cve|under wraps|among ourselves|before we tell|还不知道|尚不知情|之前别说|先别说|先不要说|别泄|未启用|还没启用|征求意见稿|内部代号|底牌|不知情|没对外讲|"
     "先保密|keep it quiet|keep this quiet"},
    {Cue::kDealWord,
     "收购|并购|营收|利润|财报|报价|融资|估值|裁员|净利润|毛利率|业绩|合同金额|标书|专利|配方|源代码|客户名单|定价|战略|预算|薪酬方案|acquisition|acquire|merger|revenue|"
     "earnings|ebitda|valuation|layoff|layoffs|pricing|roadmap|forecast|margin|bid|offer price|patent|formula|deal|"
     "guidance|customer list|budget|restructuring|headcount|quarter|launch|supplier|contract|定增|募资|毛利|底线|让利|起售价|并表|"
     "股权|商誉|亏损|净利|销量|产线|撤掉|关停|补偿|返利|折扣|算法|图纸|设计图|工艺|pre-b|注资|投资协议|投标|评标|尽调|人事|调任|任命|depot|redundancies|job cuts|"
     "recall|profit|loss|churn|flash|stake|bidding|board|investor|runway|dilution|discount|discounts|tender|"
     "cost per unit|prototype|algorithm|readout|endpoint|restatement|reorg|hire freeze|hiring freeze|office closes|"
     "anode|sale of|buyer|seller|settle|settlement|litigation|warehouse|firmware|vulnerability|patch|price|prices|"
     "lease|landlord|customers|clients|offer|pension|bonus|covenant|tape-out|提价|涨价|经销商|缺陷|预亏|提任|考题|招商|返还|协议|鼓包|漏洞|标的"},
    {Cue::kFinanceWord,
     "余额|流水|欠款|贷款余额|授信|征信报告|信用报告|可疑交易|反洗钱|大额交易|账单|还款|逾期|对账单|工资表|工资条|工资单|薪资表|balance|account balance|statement|"
     "credit report|suspicious transaction|suspicious activity|wire transfer|outstanding balance|"
     "transaction history|payroll|payslip|paystub|sar filing|credit score|overdraft|loan balance|past due|"
     "money laundering|aml|withdrew|deposited"},
    {Cue::kMoneyUnit, "元|万元|万|亿元|人民币|rmb|cny|usd|美元|港币|欧元|dollars|eur|gbp"},
    // ---- Contra-words ----
    {Cue::kOtherNumber,
     "订单号|订单编号|订单|快递单号|运单号|物流单号|单号|流水号|序列号|批次号|批号|货号|商品编号|型号|版本号|票号|发票号码|发票代码|发票号|条形码|isbn|issn|doi|order number|"
     "part no|part no.|p/n|order no|order id|order #|tracking number|tracking no|tracking|serial number|serial no|"
     "serial|part number|sku|"
     "invoice number|invoice no|invoice|ticket|ticket number|ticket no|model number|barcode|upc|ean|po number|"
     "confirmation number|reference number|ref no|build number|job id|transaction id|request id|trace id|batch no|"
     "lot number|product id|product code|item no|order|shipment|imei|vin|arxiv|pmid|rfc|flight|flight no|航班|航班号|车次|"
     "专利号|国标|gb/t|商品|货品"},
    {Cue::kExample,
     "示例|例子|举例|样例|例如|比如|测试数据|测试用|测试|占位|假数据|虚构数据|模拟数据|模板|假设|e.g.|example|for example|sample|placeholder|dummy|fake|"
     "mock|lorem ipsum|template|test data|synthetic|hypothetical|made-up|made up|xxx|generate random|unit test|"
     "libphonenumber|regex|reserved number|reserved values|magic number|from the docs|twilio|正则|接口示例|"
     "test card"},
    {Cue::kFiction,
     "小说|故事|虚构|剧本|人物|角色|童话|寓言|应用题|数学题|练习题|造句|写一篇|主人公|主角|武侠|电影|电视剧|动画|历史|古代|诗人|作家|歌词|作文|续写|剧情|悬疑|人设|番外|剧本杀|台词|旁白|甲公司|"
     "乙公司|习题|考题|真题|案例题|选择题|情景题|李华|backstory|short film|villain|superhero|novella|narrator|practice question|"
     "practice problem|exam question|mock exam|moot court|word puzzle|quiz|limerick|haiku|sitcom|lyrics|novel|story|"
     "fiction|fictional|character|screenplay|fairy tale|protagonist|short story|word problem|math problem|poem|"
     "movie|film|plot|dialogue between|a dialogue for|a dialog for|make up a patient|make up a person|"
     "make up a case|make up an employee|make up a customer|made-up patient|invented patient|scene|role-play|"
     "roleplay|biography|how many apples|apples|essay|sci-fi|"
     "noir|whodunit|murder mystery|opening scene|fan fiction|d&d|dungeons|npc|rogue|wizard|fantasy|riddle|how many|"
     "how old will|how much does|逻辑题|推理题|智力题|几个苹果|"
     "第一章|第二章|第三章|探长|chapter one|chapter 1|"
     "monologue|独白|小品|skit|reading comprehension|logic puzzle|exam vignette|case study for|for mba|管理学案例|考试题|"
     "fill the gap|fill in the gap|"
     "gap-fill|fill in the blank|english exercise|grammar exercise|"
     "多少个|语文|课文|笑话|li hua|完形|阅读理解|听力题|英语题|单选"},
    {Cue::kTechnical,
     "版本|时间戳|哈希|校验和|提交记录|version|timestamp|hash|commit|checksum|sha256|sha1|md5|uuid|guid|build|release|git|epoch|"
     "v1|v2|semver|changelog|digest|nonce|offset|coordinates|pixels|hex|port"},
    {Cue::kPublicFigure,
     "总统|主席|总理|皇帝|首相|国王|明星|演员|歌手|球员|运动员|科学家|诺贝尔|创始人|董事长|首富|著名|历史人物|名人|女王|院士|作者|导演|将军|wiki-style|wikipedia|"
     "media studies|documentary on|president|prime minister|"
     "emperor|king|queen|actor|actress|singer|athlete|scientist|nobel|founder|ceo|celebrity|famous|author|"
     "director of the film|philosopher|poet|senator|composer|painter|pope|inventor|novelist|physicist|mathematician|"
     "politician|minister|chancellor|musician|footballer|final years|legacy|albums|discography|biopic|assassination|"
     "dynasty|century|nobel prize|hall of fame|world cup|olympics|olympic|grammy|oscar|bestseller|net worth|"
     "childhood|生平|一生|晚年|代表作|在位|朝代|金牌|冠军|世界杯|奥运|专辑|票房|影帝|影后|皇后|传记|颁奖词|人物导语|人物小传|战役|起义"},
    {Cue::kHotline,
     "客服|热线|官方电话|报警|急救|投诉电话|服务热线|咨询热线|hotline|customer service|press office|switchboard|media enquiries|总机|前台|"
     "toll-free|helpline|emergency number|support line|customer support|call center|官网|问询电话|问询处|咨询电话|服务电话|"
     "预约电话|导医台|服务台|info line|information line|enquiry line|1-800-medicare"},
    {Cue::kMeasurement,
     "average|mean|median|variance|standard deviation|outlier|outliers|iqr|readings|gear ratio|rtt|latency|packet loss|"
     "benchmark|sensor|sensors|epoch|throughput|req/s|qps|丢包|传感器|电表|水表|平均每|平均值|标准差|中位数|方差|拟合|离群|异常值|齿比|误差|版本号|吞吐"},
    {Cue::kMarkingTalk,
     "should be marked|documents marked|mark documents|marked as|style guide|email footer|footer that says|header on|"
     "draft a clause|a clause|receiving party|disclosing party|checklist for|the phrase|better phrase|good title|"
     "the printer|on every page|in word|portfolio|awareness|slogan|poster|这条够不够|这一条|条款|乙方应|甲方应|接收方|披露方|末尾加一句|"
     "自查清单|标语|宣传|打印机|每页|封面|页脚|怎么翻"},
    {Cue::kMarkingPolicy,
     "labelled|labeled|is marked|are marked|signature|cover page|cover sheet|stamp|icon|icons|handbook|policy|policies|"
     "survey|questionnaire|answers are|responses are|your answers|your responses|conversations are|promises|promise|"
     "your data|each party|both parties|the parties|privacy notice|web text|our website|new hires|new joiners|reminder|"
     "remind staff|contract clause|word template|journalism|newsroom|bind me|does it expire|sticker|label for|"
     "labels for|font|logo|"
     "问卷|您的回答|您的信息|您的隐私|个人信息|就诊信息|员工手册|保密制度|双方应|双方须|双方|合同条款|标签|图章|印章|活动规则|承诺|官网|网站|隐私政策|涉密不上网|新人"},
    {Cue::kGeneralQuestion,
     "什么是|是什么意思|什么意思|如何|怎么|怎样|为什么|区别|解释一下|解释|定义|含义|介绍一下|翻译成|what is|what are|what does|how to|how do|how can|"
     "how does|explain|define|meaning of|definition|difference between|why is|why do|best practices|tell me about|"
     "describe the|translate|write a template|watermark|disclaimer|sensitivity label|classification scheme|"
     "classification levels|classification policy|水印|免责声明|密级划分|分级标准|定密|要不要|几个字|字样|格式要求|怎么写|排版|规范"},
};

}  // namespace

const std::vector<CueWord>& CueWords() {
  static const std::vector<CueWord> words = [] {
    std::vector<CueWord> all;
    for (const CueRow& row : kRows) {
      for (std::string_view rest = row.words; !rest.empty();) {
        const size_t bar = rest.find('|');
        all.push_back({row.cue, rest.substr(0, bar)});
        rest = bar == std::string_view::npos ? "" : rest.substr(bar + 1);
      }
    }
    return all;
  }();
  return words;
}

}  // namespace headgate::router
