//! Secrets as commands, files, servers and languages write them, one line for each way, and texts that only look so.

use super::super::MASK;
use super::masked;

/// In each, `S3cr3tZ` and what stands for more than a word.
const SECRETS: &[&str] = &[
    // Commands.
    "mysql -uroot -pS3cr3tZ main",
    "mysqldump -u root -p 'S3cr3tZ' main",
    "sshpass -p S3cr3tZ ssh root@h",
    "sshpass -p'S3cr3tZ' ssh root@h",
    "redis-cli -h x -a S3cr3tZ ping",
    "docker login -u me -p S3cr3tZ registry",
    "ldapsearch -D cn=x -w S3cr3tZ -b y",
    "mongosh -u u -p S3cr3tZ",
    "curl -u admin:S3cr3tZ https://h/p",
    // Files.
    "db.example.com:5432:main:app:S3cr3tZ",
    "machine api.h login me password S3cr3tZ",
    "machine api.h\n  login me\n  password S3cr3tZ",
    "env:\n  - name: DB_PASSWORD\n    value: S3cr3tZ\n",
    "env:\n  - name: DB_PASSWORD\n    value: \"S3cr3tZ\"\n",
    "password: |\n  S3cr3tZ\n  and S3cr3tZ more\nuser: x",
    "private_key: >-\n  S3cr3tZ\nuser: x",
    "password: &pw S3cr3tZ\n",
    "password: !!str S3cr3tZ\n",
    "Password:\nS3cr3tZ",
    "userPassword:: S3cr3tZ",
    // XML, HTML, forms.
    "<add key=\"DbPassword\" value=\"S3cr3tZ\"/>",
    "<property name=\"connection.password\">S3cr3tZ</property>",
    "<password><![CDATA[S3cr3tZ]]></password>",
    "<password><value>S3cr3tZ</value></password>",
    "<password type=\"text\">S3cr3tZ</password>",
    "<wsse:Password Type=\"http://x#PasswordText\">S3cr3tZ</wsse:Password>",
    "<input name=\"password\" value=\"S3cr3tZ\">",
    "Content-Disposition: form-data; name=\"password\"\r\n\r\nS3cr3tZ\r\n--b",
    // Servers of databases.
    "ERROR: duplicate key: Key (tenant, token)=(1, S3cr3tZ) already exists.",
    "INSERT INTO users (id, password) VALUES (1, 'S3cr3tZ'), (2, 'S3cr3tZ')",
    "ALTER ROLE app PASSWORD E'S3cr3tZ'",
    "CREATE USER a IDENTIFIED BY 'S3cr3tZ'",
    "postgres: app:S3cr3tZ@db.example.com:5432/main",
    "jdbc:oracle:thin:scott/S3cr3tZ@//h:1521/x",
    // Languages.
    "password=b'S3cr3tZ'",
    "{'password': u'S3cr3tZ'}",
    "password=SecretStr('S3cr3tZ')",
    "Config { password: Password(\"S3cr3tZ\") }",
    "SET password = N'S3cr3tZ'",
    "'password' => 'S3cr3tZ'",
    // Headers that nobody lists.
    "Authorization: AWS AKIDEXAMPLE:S3cr3tZ=",
    "Authorization: SharedKey account:S3cr3tZ=",
    "Authorization: HMAC-SHA256 Credential=a, Signature=S3cr3tZ",
    // Sentences.
    "the password is S3cr3tZ",
    "Your new password is: S3cr3tZ",
    "password -> S3cr3tZ",
];

const OTHERS: &[&str] = &[
    "max_tokens=4096",
    "tokens: 1500",
    "total_tokens: 1200, prompt_tokens: 800",
    "SyntaxError: Unexpected token: 'x'",
    "Unexpected token: <",
    "[\"password\",\"email\"]",
    "[\"token\",\"session\"]",
    "{\"credentials\":\"include\"}",
    "{\"token\":\"<EOF>\"}",
    "otp: sent",
    "--session 5 done",
    "--auth none",
    "test --pass 3",
    "ls -p /var -a /etc -w 80",
    "git log -p S3cr3tZ",
    "mysql -p main",
    "docker run -p 8080:80 image",
    "name: storage\nvalue: S3cr3tZ",
    "<add key=\"Timeout\" value=\"S3cr3tZ\"/>",
    "<a href=\"x\">S3cr3tZ</a>",
    "password:\n  minLength: 8",
    "password::Error at src/password.rs",
    "INSERT INTO users (id, name) VALUES (1, 'S3cr3tZ')",
    "Key (id, name)=(1, S3cr3tZ) already exists.",
    "at 12:30@office",
    "https://unpkg.com/react@18.2.0/umd/x.js",
];

#[test]
fn secrets_are_masked_in_the_ways_in_which_others_write_them() {
    let mut seen = Vec::new();
    for text in SECRETS {
        let shown = masked(text);
        if shown.contains("S3cr3tZ") || !shown.contains(MASK) {
            seen.push(format!("{text:?}\n    {shown:?}"));
        }
        assert_eq!(masked(&shown), shown, "twice is as once: {text}");
    }
    assert!(seen.is_empty(), "{} of {} are visible:\n{}", seen.len(), SECRETS.len(), seen.join("\n"));
}

#[test]
fn texts_that_only_look_so_stay() {
    let changed: Vec<_> =
        OTHERS.iter().map(|text| (text, masked(text))).filter(|(text, shown)| *text != shown).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn what_stands_around_such_a_secret_stays() {
    for (text, expected) in [
        ("mysql -uroot -pS3cr3tZ main", "mysql -uroot -p****** main"),
        ("password: |\n  S3cr3tZ\n  b\nuser: x", "password: |\n  ******\nuser: x"),
        ("<add key=\"DbPassword\" value=\"S3cr3tZ\"/>", "<add key=\"DbPassword\" value=\"******\"/>"),
        ("<password><value>S3cr3tZ</value></password>", "<password><value>******</value></password>"),
        (
            "INSERT INTO t (a, password) VALUES (1, 'x y'), (2, NULL)",
            "INSERT INTO t (a, password) VALUES (1, '******'), (2, NULL)",
        ),
        ("Key (a, token)=(1, S3cr3tZ) already exists", "Key (a, token)=(1, ******) already exists"),
    ] {
        assert_eq!(masked(text), expected);
    }
}
