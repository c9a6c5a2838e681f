"""Words the corpus is built of. No word here was chosen by looking at the redaction rules."""

from case import words

PLAIN = words("plain.txt")

SERVICES = words("services.txt")

ENVIRONMENTS = words("environments.txt")
SUFFIXES = words("suffixes.txt")

COMPANIES = words("companies.txt")

PEOPLE = words("people.txt")

DOMAINS = ("example.com", "example.org", "corp.example.net", "internal.example.com", "shop.example.de", "db.example.io")

# What a password is called, as identifiers write it (without accents) and as prose writes it.
FOREIGN_NAMES = {
    "Spanish": ("contrasena", "contraseña", "clave_secreta", "clave secreta"),
    "Portuguese": ("senha", "senha", "chave_secreta", "chave secreta"),
    "French": ("mot_de_passe", "mot de passe", "mdp", "mot de passe"),
    "German": ("passwort", "Passwort", "kennwort", "Kennwort"),
    "Italian": ("parola_chiave", "parola chiave", "password", "password"),
    "Dutch": ("wachtwoord", "wachtwoord", "geheim", "wachtwoord"),
    "Polish": ("haslo", "hasło", "haslo", "hasło"),
    "Czech": ("heslo", "heslo", "heslo", "heslo"),
    "Turkish": ("sifre", "şifre", "parola", "parola"),
    "Swedish": ("losenord", "lösenord", "losenord", "lösenord"),
    "Romanian": ("parola", "parola", "parola", "parola"),
    "Indonesian": ("kata_sandi", "kata sandi", "sandi", "kata sandi"),
    "Vietnamese": ("mat_khau", "mật khẩu", "mat_khau", "mật khẩu"),
    "Russian": ("пароль", "пароль", "пароль", "пароль"),
    "Ukrainian": ("пароль", "пароль", "пароль", "пароль"),
    "Chinese": ("密码", "密码", "密钥", "密钥"),
    "Japanese": ("パスワード", "パスワード", "秘密鍵", "秘密鍵"),
    "Korean": ("비밀번호", "비밀번호", "암호", "암호"),
    "Arabic": ("كلمة_المرور", "كلمة المرور", "كلمة_السر", "كلمة السر"),
    "Hindi": ("पासवर्ड", "पासवर्ड", "पासवर्ड", "पासवर्ड"),
    "Bengali": ("পাসওয়ার্ড", "পাসওয়ার্ড", "পাসওয়ার্ড", "পাসওয়ার্ড"),
    "Persian": ("رمز_عبور", "رمز عبور", "گذرواژه", "گذرواژه"),
    "Hebrew": ("סיסמה", "סיסמה", "סיסמה", "סיסמה"),
    "Thai": ("รหัสผ่าน", "รหัสผ่าน", "รหัสผ่าน", "รหัสผ่าน"),
    "Greek": ("κωδικός", "κωδικός πρόσβασης", "κωδικός", "κωδικός πρόσβασης"),
}

FOREIGN_PROSE_WITH_SECRET = {
    "Spanish": "La {name} de {service} es {value}",
    "Portuguese": "A {name} do {service} é {value}",
    "French": "Le {name} de {service} est {value}",
    "German": "Das {name} für {service} lautet {value}",
    "Italian": "La {name} di {service} è {value}",
    "Dutch": "Het {name} voor {service} is {value}",
    "Polish": "{name} do {service} to {value}",
    "Czech": "{name}: {value} ({service})",
    "Turkish": "{service} için {name}: {value}",
    "Russian": "{name} от {service}: {value}",
    "Ukrainian": "{name} до {service}: {value}",
    "Chinese": "{service} 的{name}是 {value}",
    "Japanese": "{service} の{name}は {value} です",
    "Korean": "{service} {name}: {value}",
    "Arabic": "{name} هي {value}",
    "Hindi": "{service} का {name} है {value}",
    "Vietnamese": "{name} của {service} là {value}",
    "Indonesian": "{name} untuk {service} adalah {value}",
}
