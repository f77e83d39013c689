//! Secrets as people and programs write them. They are put together here, so that no scanner takes them for real ones.

/// A text with a secret in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// `{}` stands for the secret.
    template: &'static str,
    /// The secret, in pieces.
    secret: &'static [&'static str],
}

impl Form {
    /// The secret.
    pub(crate) fn secret(&self) -> String {
        self.secret.concat()
    }

    /// The text.
    pub(crate) fn with_secret(&self) -> String {
        self.template.replace("{}", &self.secret())
    }
}

/// The first of the secrets, or of their parts, that stands in a text: with some characters around it.
pub(crate) fn seen(text: &str) -> Option<String> {
    let parts =
        FORMS.iter().map(Form::secret).chain(["Zq9", "xKw3", "a1B2c3D4e5", "0123456789abcdef"].map(str::to_owned));
    parts.filter_map(|part| Some((text.find(&part)?, part))).next().map(|(at, part)| {
        let (start, end) = (text.floor_char_boundary(at.saturating_sub(120)), text.floor_char_boundary(at + 60));
        format!("{part}: {}", &text[start..end])
    })
}

/// A secret that nothing about it gives away.
const ANY: &[&str] = &["Zq9", "xKw3"];

const fn any(template: &'static str) -> Form {
    Form { template, secret: ANY }
}

const fn own(secret: &'static [&'static str]) -> Form {
    Form { template: "got {} from it", secret }
}

const LETTERS: &str = "a1B2c3D4e5F6g7H8i9J0";

/// Each way to write a secret.
pub(crate) const FORMS: &[Form] = &[
    any("postgres://app:{}@db:5432/main"),
    any("postgresql://app:{}@db/main?sslmode=require"),
    any("mysql://root:{}@10.0.0.1/x"),
    any("redis://:{}@cache:6379/0"),
    any("amqp://guest:{}@queue"),
    any("mongodb+srv://u:{}@c0.example.net/x?w=majority"),
    any("https://user:{}@example.com/path"),
    any("https://user:a/{}@example.com/path"),
    any("https://user:%40{}@example.com/path"),
    any("jdbc:postgresql://db/x?user=app&password={}"),
    any("jdbc:mysql://db/x?user=app&password={}&ssl=true"),
    any("https://h/p?token={}"),
    any("https://h/p?a=1&access_token={}&b=2"),
    any("https://h/p?api_key={}#top"),
    any("https://h/p?sig={}&se=2026"),
    any("https://b.s3.amazonaws.com/k?X-Amz-Signature={}&x=1"),
    any("https://b.s3.amazonaws.com/k?X-Amz-Security-Token={}"),
    any("https://b.s3.amazonaws.com/k?X-Amz-Credential={}%2F20261120"),
    any("https://storage.googleapis.com/b/o?X-Goog-Signature={}"),
    any("/callback?state=1&session_id={}"),
    any("https%3A%2F%2Fapp%3A{}%40example.com%2F"),
    any("https://h/login?next=%2Fp%3Ftoken%3D{}%26a%3D1"),
    any("https://hooks.slack.com/services/T01/B02/{}"),
    any("https://discord.com/api/webhooks/123456/{}"),
    any("https://api.telegram.org/bot123456:{}/sendMessage"),
    any("https://outlook.office.com/webhook/{}@x/IncomingWebhook/y"),
    any("password={}"),
    any("password = {}"),
    any("password='{}'"),
    any("password=\"{}\""),
    any("pwd: {}"),
    any("pass: {}"),
    any("passwd: {}"),
    any("passphrase: \"{}\""),
    any("password: '{}'"),
    any("DB_PASSWORD={}"),
    any("export PGPASSWORD={}; psql"),
    any("spring.datasource.password={}"),
    any("token: {}"),
    any("token={}"),
    any("token = \"{}\""),
    any("access_token: {}, expires: 1"),
    any("refreshToken={}"),
    any("secret: {}"),
    any("client_secret={}&grant_type=x"),
    any("api key: {}"),
    any("apikey={}"),
    any("x-api-key={}"),
    any("X-Api-Key: {}"),
    any("private_key={}"),
    any("signing_key: {}"),
    any("aws_secret_access_key = {}"),
    any("jwt={}"),
    any("auth={}"),
    any("sid={}"),
    any("session={}"),
    any("JSESSIONID={}"),
    any("PHPSESSID={};"),
    any("csrf_token={}"),
    any("X-XSRF-TOKEN: {}"),
    any("otp={}"),
    any("pin={}"),
    any("cvv={}"),
    any("dsn={}"),
    any("credentials={}"),
    any("connection string: {}"),
    any("ssn={}"),
    any("iban={}"),
    any("--password {}"),
    any("--password={}"),
    any("tool --api-key {} --verbose"),
    any("tool --token \"{}\""),
    any("curl -u app:{} https://h/p"),
    any("curl --user 'app:{}' https://h/p"),
    any("db.example.com:5432:main:app:{}"),
    any("*:*:main:app:{}"),
    any("jdbc:oracle:thin:app/{}@db:1521/x"),
    any("java -Dpassword={} -jar x"),
    any("curl -H 'Authorization: Bearer {}' https://h"),
    any("curl -H \"X-Auth-Token: {}\" https://h"),
    any("Authorization: Bearer {}"),
    any("authorization: bearer {}"),
    any("Authorization: Basic {}"),
    any("Authorization: Token {}"),
    any("Authorization: {}"),
    any("Proxy-Authorization: Basic {}"),
    any("Authorization: Digest username=\"x\", response=\"{}\""),
    any("authorization=Bearer {}"),
    any("sent Bearer {} to it"),
    any("Digest username=\"x\", realm=\"y\", response=\"{}\""),
    any("Cookie: a={}"),
    any("Cookie: theme=dark; sid={}; lang=en"),
    any("cookie: a=1; b={}"),
    any("Set-Cookie: id={}; Path=/; HttpOnly"),
    any("host=db port=5432 user=app password={} dbname=x"),
    any("host=db password='a b {}' dbname=x"),
    any("host=db password='a\\'{}' dbname=x"),
    any("Server=db;Database=x;User Id=app;Password={};"),
    any("Server=db;Uid=app;Pwd={}"),
    any("Data Source=db;User=app;Password='a;{}';Encrypt=true"),
    any("DefaultEndpointsProtocol=https;AccountName=x;AccountKey={}==;EndpointSuffix=y"),
    any("Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey={}="),
    any("ALTER ROLE app PASSWORD '{}'"),
    any("create user x identified by '{}'"),
    any("{ user: 'x', password: '{}', n: 1 }"),
    any("{'user': 'x', 'token': '{}'}"),
    any("Config { token: \"{}\", n: 1 }"),
    any("Some(\"token\") => token: Some(\"{}\")"),
    any("params[password]={}"),
    any("{:password=>\"{}\", :n=>1}"),
    any("<password>{}</password>"),
    any("<ns:apiKey>{}</ns:apiKey>"),
    any("{\"password\":\"{}\"}"),
    any("{\"n\":1,\"token\":\"{}\",\"m\":2}"),
    any("{\"headers\":{\"cookie\":[\"{}\",\"b\"]}}"),
    any("{\"headers\":[{\"name\":\"Cookie\",\"value\":\"{}\"}]}"),
    any("{\"key\":\"password\",\"value\":\"{}\"}"),
    any("{\"value\":\"{}\",\"field\":\"api_key\"}"),
    any("[\"authorization\",\"{}\"]"),
    any("[[\"x-api-key\",\"{}\"],[\"accept\",\"b\"]]"),
    any("{\"rawHeaders\":[\"Host\",\"h\",\"Authorization\",\"{}\"]}"),
    any("{\"args\":[\"--password\",\"{}\"]}"),
    any("{\"body\":\"{\\\"token\\\":\\\"{}\\\"}\"}"),
    any("{\"url\":\"https:\\/\\/u:{}@h\\/p\"}"),
    any("{\"url\":\"https://h/p?a=1\\u0026token={}\"}"),
    any("{\"a\":\"{\\u0022token\\u0022:\\u0022{}\\u0022}\"}"),
    any("body: {\\\"password\\\":\\\"{}\\\"}"),
    any("'{\"secret\":\"{}\"}' is wrong"),
    any("-----BEGIN RSA PRIVATE KEY-----\nMIIE{}\nabc=\n-----END RSA PRIVATE KEY-----"),
    any("-----BEGIN OPENSSH PRIVATE KEY-----\\nb3Bl{}\\n-----END OPENSSH PRIVATE KEY-----"),
    any("-----BEGIN PRIVATE KEY-----\nMIIE{}"),
    any("Authorization: AWS AKID:{}"),
    any("Authorization: SharedKey account:{}="),
    any("Authorization: HMAC-SHA256 SignedHeaders=x, Signature={}"),
    any("connect(password=b'{}')"),
    any("{'password': u'{}', 'n': 1}"),
    any("password=SecretStr('{}') n=1"),
    any("Config { password: Password(\"{}\"), n: 1 }"),
    any("token: Some(Secret(\"{}\"))"),
    any("{Password:(*string)(0xc000012) \"{}\", N:1}"),
    any("CREATE LOGIN x WITH PASSWORD=N'{}'"),
    any("password = \"\"\"\n{}\"\"\""),
    any("password: !!str {}"),
    any("password: &pw {}"),
    any("**Password:** {}"),
    any("-----BEGIN PRIVATE KEY-----\n| MIIE\n| {}\n| -----END PRIVATE KEY-----"),
    any("\"-----BEGIN PRIVATE KEY-----\" + \"MIIE{}\" + \"-----END PRIVATE KEY-----\""),
    any("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----"),
    own(&["eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.", "dozjgNryP4J3jVmNHl0w5N"]),
    own(&["AKI", "AIOSFODNN7EXAMPLE"]),
    own(&["ASI", "AIOSFODNN7EXAMPLE"]),
    own(&["gh", "p_", LETTERS, LETTERS]),
    own(&["gh", "o_", LETTERS, LETTERS]),
    own(&["gh", "s_", LETTERS, LETTERS]),
    own(&["github", "_pat_", LETTERS, "_", LETTERS]),
    own(&["glp", "at-", LETTERS]),
    own(&["sk_", "live_", LETTERS]),
    own(&["sk_", "test_", LETTERS]),
    own(&["rk_", "live_", LETTERS]),
    own(&["sk", "-", LETTERS, LETTERS]),
    own(&["sk", "-ant-api03-", LETTERS, "-", LETTERS]),
    own(&["sk", "-proj-", LETTERS, "_", LETTERS]),
    own(&["xox", "b-123456789012-", LETTERS]),
    own(&["xox", "p-123456789012-", LETTERS]),
    own(&["xapp", "-1-A01-", LETTERS]),
    own(&["AI", "za", "SyA1B2", LETTERS, LETTERS]),
    own(&["ya", "29.", LETTERS, LETTERS]),
    own(&["np", "m_", LETTERS, LETTERS]),
    own(&["py", "pi-AgEI", LETTERS, LETTERS]),
    own(&["S", "G.", LETTERS, ".", LETTERS, LETTERS]),
    own(&["gl", "sa_", LETTERS, LETTERS, "_1a2b3c4d"]),
    own(&["dop", "_v1_", "0123456789abcdef", "0123456789abcdef"]),
    own(&["hv", "s.", LETTERS, LETTERS]),
    own(&["eyJr", "Ijoi", LETTERS, LETTERS, "=="]),
    own(&["wh", "sec_", LETTERS, LETTERS]),
    own(&["shp", "at_", "0123456789abcdef", "0123456789abcdef"]),
    own(&["4111-1111-", "1111-1111"]),
    own(&["5500000000", "000004"]),
    own(&["DE89370400", "440532013000"]),
];
