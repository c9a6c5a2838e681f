class Redactor:
    def __init__(self, *, secrets=(), patterns=(), allow=(), enabled=True) -> None:
        self.counts: dict[str, int] = {}

    def text(self, value: str) -> str:
        return value
