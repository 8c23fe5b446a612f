"""Settings are checked, and say what is wrong."""

from dataclasses import fields

import pytest
from locust.argument_parser import get_parser

from chatload import options


def test_defaults_are_good_and_every_field_is_described() -> None:
    chosen = options.parse({})
    assert chosen == options.Options()
    assert abs(sum(chosen.weights().values()) - 1) < 1e-9
    assert set(options.FIELDS) == {one.name for one in fields(options.Options)}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"posters_share": 2}, "--posters-share"),
        ({"rate": "many"}, "--rate"),
        ({"rate": "nan"}, "--rate"),
        ({"message_size": 0}, "--message-size"),
        ({"visit_page": "perhaps"}, "--visit-page"),
        ({"posters_share": 0.9, "lurkers_share": 0.2}, "add up"),
        ({"topics": 2, "topics_per_user": 3}, "--topics-per-user"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        options.parse(values)


def test_flags_and_form_come_from_the_same_table() -> None:
    parser = get_parser(default_config_files=[])
    options.add_arguments(parser)
    parsed = vars(parser.parse_args(["--rate", "7", "--topics", "3", "--visit-page", "false"]))
    chosen = options.parse(parsed)
    assert (chosen.rate, chosen.topics, chosen.visit_page) == (7.0, 3, False)
    in_form = set(parser.args_included_in_web_ui)
    assert {
        "topics",
        "posters_share",
        "rate",
        "message_size",
        "think_time",
        "churn_share",
    } <= in_form
    assert "artefacts" not in in_form
