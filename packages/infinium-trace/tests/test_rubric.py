"""`expected_outcome` is what the user wrote: objective, deliverables, constraints and criteria, never invented."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import TurnEnded, TurnStarted, TurnStatus, fold
from infinium_trace.rubric import Rubric
from msgspec.structs import replace
from story import CONTEXT, CWD, OPTIONS, hook, transcript, turn_payload

REQUEST = """\
Add a cart to the shop.

It must show the total. Don't change the public API. The totals were wrong yesterday.
I don't know why the old one fails. Should it be cached?

- `cart.py` with a class Cart
- tests for it
  1. Never round the total.
  2. Make sure that empty carts work.

Constraints:

* no new dependencies
* Python 3.11

## Acceptance criteria
- [ ] all tests pass
- [x] `mypy --strict` is clean

```
- not an item, must not count
```
> - quoted
"""


def outcome(request: str) -> dict[str, Any]:
    rubric = Rubric()
    rubric.add_request(request)
    return rubric.payload()


def test_lists_sentences_and_headings_of_a_request_are_told_apart() -> None:
    assert outcome(REQUEST) == {
        "task_objective": "Add a cart to the shop.",
        "required_deliverables": ["`cart.py` with a class Cart", "tests for it"],
        "constraints": [
            "Don't change the public API.",
            "Never round the total.",
            "no new dependencies",
            "Python 3.11",
        ],
        "acceptance_criteria": [
            "It must show the total.",
            "Make sure that empty carts work.",
            "all tests pass",
            "`mypy --strict` is clean",
        ],
    }


@pytest.mark.parametrize(
    ("request_text", "kind", "entry"),
    [
        ("Füge einen Warenkorb hinzu. Die Summe muss stimmen.", "acceptance_criteria", "Die Summe muss stimmen."),
        ("Warenkorb. Keine neuen Abhängigkeiten.", "constraints", "Keine neuen Abhängigkeiten."),
        ("Warenkorb. Die API darf sich nicht ändern.", "constraints", "Die API darf sich nicht ändern."),
        ("Ajoute un panier. Le total doit être exact.", "acceptance_criteria", "Le total doit être exact."),
        ("Ajoute un panier. Ne change pas l'API.", "constraints", "Ne change pas l'API."),
        ("Añade un carrito. El total debe ser exacto.", "acceptance_criteria", "El total debe ser exacto."),
        ("Añade un carrito. No cambies la API.", "constraints", "No cambies la API."),
        ("Adicione um carrinho. Não mude a API.", "constraints", "Não mude a API."),
        ("Voeg een winkelwagen toe. De API mag niet veranderen.", "constraints", "De API mag niet veranderen."),
        ("Winkelwagen. Geen nieuwe afhankelijkheden.", "constraints", "Geen nieuwe afhankelijkheden."),
        ("Voeg een winkelwagen toe. Het totaal moet kloppen.", "acceptance_criteria", "Het totaal moet kloppen."),
        ("Dodaj koszyk. Nie zmieniaj API.", "constraints", "Nie zmieniaj API."),
        ("Dodaj koszyk. Klient nie może zmienić ceny.", "constraints", "Klient nie może zmienić ceny."),
        ("Dodaj koszyk. Suma musi być dokładna.", "acceptance_criteria", "Suma musi być dokładna."),
        ("Sepet ekle. API'yi değiştirme.", "constraints", "API'yi değiştirme."),
        ("Sepet ekle. Sipariş silinmemeli.", "constraints", "Sipariş silinmemeli."),
        ("Sepet ekle. Toplam doğru olmalı.", "acceptance_criteria", "Toplam doğru olmalı."),
        ("Aggiungi un carrello. Non cambiare l'API.", "constraints", "Non cambiare l'API."),
        ("Добавь корзину. Не меняй API.", "constraints", "Не меняй API."),
        ("添加购物车。不要修改接口。", "constraints", "不要修改接口。"),
        ("添加购物车。必须通过所有测试。", "acceptance_criteria", "必须通过所有测试。"),
        ("カートを追加。APIを変更しないでください。", "constraints", "APIを変更しないでください。"),
        ("장바구니를 추가해줘. API는 변경하지 마.", "constraints", "API는 변경하지 마."),
        ("Fix it, but do not touch main.py.", "constraints", "Fix it, but do not touch main.py."),
        ("Fix it without changing the API.", "constraints", "Fix it without changing the API."),
    ],
)
def test_sentences_of_several_languages_are_recognized(request_text: str, kind: str, entry: str) -> None:
    assert outcome(request_text)[kind] == [entry]


@pytest.mark.parametrize(
    "request_text",
    [
        "The cart never shows the total.",
        "I don't understand this error.",
        "Why does it not work?",
        "We must have broken it on Monday.",
        "Should I use a class?",
        "go on",
        "Never mind.",
        "Take your time.",
        "List the files by name.",
        "Try the build, then leave a note.",
        "No problem.\nAdd a cart\nwith a total.",
    ],
)
def test_a_request_without_wishes_is_an_objective_alone(request_text: str) -> None:
    assert outcome(request_text) == {"task_objective": request_text}


def test_a_line_with_a_colon_is_a_heading_only_of_a_list() -> None:
    assert outcome("Rules: keep it small\n\nDo this:\n- one thing") == {
        "task_objective": "Rules: keep it small",
        "required_deliverables": ["one thing"],
        "constraints": ["Rules: keep it small"],
    }


def test_no_request_is_no_expectation() -> None:
    assert outcome("") == outcome("```\ncode\n```") == {}


def test_a_long_request_is_bounded() -> None:
    found = outcome("Do it all. " * 500 + "\n" + "\n".join(f"- item {number} {'x' * 900}" for number in range(90)))
    assert len(found["task_objective"]) <= 300
    assert len(found["required_deliverables"]) == 30
    assert max(map(len, found["required_deliverables"])) <= 300


@given(
    st.lists(
        st.sampled_from(["must", "don't", "- ", "# ", ":", ". ", "\n", "the", "API", "？", "不要", "```", "> "]),
        max_size=60,
    )
)
def test_every_entry_was_written_by_the_user(parts: list[str]) -> None:
    request = " ".join(parts)
    found = outcome(request)
    entries = [entry for name, listed in found.items() if name != "task_objective" for entry in listed]
    assert [entry for entry in entries if entry not in request] == []
    assert found.get("task_objective", "") in request


def payload(prompt: str | None, *, acceptance: str | None = None, redaction: str = "on") -> dict[str, Any]:
    session = fold(
        [
            TurnStarted(**hook(0, "t"), prompt=prompt, cwd=CWD),
            TurnEnded(**transcript(9, "t"), status=TurnStatus.COMPLETED),
        ]
    )
    context = replace(CONTEXT, acceptance=acceptance, acceptance_file=".infinium/acceptance.md")
    return turn_payload(session, session.turns[0], context, replace(OPTIONS, redaction=redaction))


def test_the_projects_own_criteria_are_added_and_their_source_is_told() -> None:
    found = payload(
        "Add a cart.", acceptance="# Done when\n- `nox` passes\n\nEvery change has a test.\n\n# Rules\n- no secrets\n"
    )
    assert found["expected_outcome"] == {
        "task_objective": "Add a cart.",
        "constraints": ["no secrets"],
        "acceptance_criteria": ["`nox` passes", "Every change has a test."],
    }
    assert found["environment"]["custom_tags"]["expected_outcome_from"] == "prompt, .infinium/acceptance.md"
    assert payload("Add a cart.")["environment"]["custom_tags"]["expected_outcome_from"] == "prompt"


def test_secrets_are_redacted_and_metadata_only_sends_no_expectation() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    found = payload(f"Log in. You must use {token}.", acceptance=f"- never print {token}")
    assert token not in str(found)
    assert len(found["expected_outcome"]["acceptance_criteria"]) == 1
    assert "expected_outcome" not in payload("Add a cart.", acceptance="- all pass", redaction="metadata-only")


def test_a_long_prompt_is_not_repeated_as_the_objective() -> None:
    found = payload("Add a cart.\n\n" + "It has many parts and long explanations. " * 60)
    assert found["expected_outcome"]["task_objective"] == "Add a cart."
    assert len(found["input_summary"]) > 2_000
