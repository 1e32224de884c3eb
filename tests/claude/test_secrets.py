import logging
import pickle
import traceback

import pytest
from claude.conftest import KEY

from lang_persona.claude.ask import ask, estimate_cost
from lang_persona.claude.client import open_client
from lang_persona.errors import UserError


def test_without_a_key_the_message_says_how_to_set_it(api, make_job, sending, monkeypatch):
    for value in (None, " "):
        monkeypatch.delenv("ANTHROPIC_API_KEY") if value is None else monkeypatch.setenv("ANTHROPIC_API_KEY", value)
        for call in (ask, estimate_cost):
            with pytest.raises(UserError, match="set the environment variable ANTHROPIC_API_KEY"):
                call(make_job(["a"]), sending())
        with pytest.raises(UserError, match="ANTHROPIC_API_KEY"):
            ask(make_job(["a"]), sending(mode="batches"))
    assert api.log["attempts"] == {}


def test_what_is_cached_needs_no_key(api, make_job, sending, monkeypatch):
    ask(make_job(["a"]), sending())
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert ask(make_job(["a"]), sending())["r0"].value


def test_other_credentials_are_not_used(api, make_job, sending, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another-token")
    ask(make_job(["a"]), sending())
    assert api.log["headers"][0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("mode", ["requests", "batches"])
def test_the_key_appears_nowhere(api, make_job, sending, tmp_path, caplog, capfd, mode):
    # The server repeats the key in every error, as a careless proxy could.
    api.reset(echo=f" (your key: {KEY})", create_faults=["500", "429"])
    caplog.set_level(logging.DEBUG)
    how = sending(attempts=3, timeout_seconds=1.0, mode=mode)
    job = make_job(["fine", "[[429]] a", "[[500]] b", "[[400]] c", "[[refusal]] d", "[[drop]] e", "[[errored]] f"])
    texts = [repr(how), repr(job), repr(ask(job, how)), repr(open_client(how)), str(open_client(how))]
    api.reset(echo=f" (your key: {KEY})", create_faults=["401"])
    with pytest.raises(UserError) as caught:
        ask(make_job(["[[401]] x"]), how)
    texts += [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
    assert caught.value.__cause__ is None
    texts += [caplog.text, *capfd.readouterr()]
    texts += [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    assert len(list(tmp_path.iterdir())) >= 1
    assert "invalid bearer token (your key: [key])" in str(caught.value)
    for text in texts:
        assert KEY not in text
    assert KEY.encode() not in pickle.dumps(str(caught.value))
