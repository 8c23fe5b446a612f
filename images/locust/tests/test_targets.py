"""Which chats may be loaded, and what is said about the others."""

import pytest

from chatload import targets


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://chat", "http://chat"),
        (" http://chat:80/ ", "http://chat"),
        ("https://Chat.example:443", "https://chat.example"),
        ("http://127.0.0.1:30222", "http://127.0.0.1:30222"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_one_way_to_write_an_address(typed: str, meant: str) -> None:
    assert targets.chosen(typed, "", "") == [meant]


@pytest.mark.parametrize(
    ("host", "several", "allowed", "says"),
    [
        ("", "", "", "none is given"),
        (None, "", "", "none is given"),
        ("chat:8080", "", "", "no scheme: write http://chat:8080"),
        ("chat", "", "", "no scheme"),
        ("ftp://chat", "", "", "not ftp://"),
        ("http://", "", "", "names no host"),
        ("http://chat:port", "", "", "is not an address"),
        ("http://chat/room", "", "", "sockets would not follow"),
        ("http://chat?x=1", "", "", "sockets would not follow"),
        ("http://ada:pw@chat", "", "", "user name"),
        ("http://a,http://b", "", "", "one only"),
        ("", "http://a,,http://b", "", "--targets: entry 2"),
        ("", "http://a,b:80", "", "--targets: 'b:80' has no scheme"),
        ("http://c", "http://a,http://b", "", "beside --targets"),
        ("http://elsewhere", "", "http://chat", "CHATLOAD_HOSTS"),
        ("http://chat:81", "", "http://chat,http://other", "may not load http://chat:81"),
        ("", "http://chat,http://elsewhere", "http://chat", "may not load http://elsewhere"),
    ],
)
def test_a_wrong_address_is_refused_with_the_reason(
    host: str | None, several: str, allowed: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        targets.chosen(host, several, allowed)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ValueError) as refused:
        targets.chosen("http://ada:secret@chat", "", "")
    assert "secret" not in str(refused.value)


def test_what_is_listed_may_be_loaded_however_it_is_written() -> None:
    assert targets.chosen("http://chat:80/", "", "http://chat, http://b") == ["http://chat"]
    assert targets.chosen("http://a", "http://a,http://b", "") == ["http://a", "http://b"]
