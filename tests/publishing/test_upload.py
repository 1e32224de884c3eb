"""Uploads, through the hub's own library, to a hub on this machine."""

import logging

import pytest
from publishing.hub import TOKEN

from lang_persona.datasets import PublicationDataset
from lang_persona.errors import UserError
from lang_persona.publishing.prepare import prepare
from lang_persona.publishing.upload import upload


@pytest.fixture
def written(config, publishing, made, tmp_path):
    """Writes the publication for a namespace and returns it with its settings."""

    def write(namespace):
        settings = {**publishing, "namespace": namespace}
        dataset = PublicationDataset(str(tmp_path / "publication"))
        dataset.save(prepare(config, settings, **made))
        return dataset.load(), settings

    return write


def test_without_a_namespace_nothing_is_sent(written, hub):
    done = upload(*written(None))
    assert [(row["type"], row["id"]) for row in done] == [
        ("model", "lang-persona-small-es_en"),
        ("dataset", "lang-persona-small-es_en-data"),
    ]
    assert not any("url" in row for row in done)
    assert hub.requests == []


def test_every_file_arrives_byte_for_byte_in_private_repositories(written, hub, caplog, capfd):
    publication, settings = written("me")
    with caplog.at_level(logging.DEBUG):
        done = upload(publication, settings)
        again = upload(publication, settings)  # what exists is added to
    for repository, row in zip(publication.repositories, done, strict=True):
        kept = hub.repositories[f"{repository.type}s/{repository.id}"]
        assert kept == {name: path.read_bytes() for name, path in repository.files.items()}
        assert hub.private[f"{repository.type}s/{repository.id}"]
        assert row["id"].startswith("me/lang-persona-small-es_en")
        assert row["commit"] == "a" * 40
        assert row["url"].startswith(hub.url)
    assert [row["url"] for row in again] == [row["url"] for row in done]
    captured = capfd.readouterr()
    for said in (caplog.text, captured.out, captured.err, repr(done)):
        assert TOKEN not in said


def test_a_namespace_without_a_token_is_refused_and_says_where_the_folder_is(written, hub, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    with pytest.raises(UserError, match=r"export HF_TOKEN=.*The folder is ready: .*models"):
        upload(*written("me"))
    assert hub.requests == []


def test_a_refusal_of_the_hub_is_told_without_the_token(written, hub):
    hub.refuse = True
    with pytest.raises(UserError, match="can't upload me/lang-persona-small-es_en") as error:
        upload(*written("me"))
    assert "rights" in str(error.value)
    assert TOKEN not in str(error.value)
    assert hub.repositories == {}


@pytest.mark.parametrize("secret", [TOKEN, "sk-ant-in-a-completion"])
def test_a_file_with_a_key_or_token_is_never_sent(written, hub, made, monkeypatch, secret):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-in-a-completion")
    made["examples"][0]["completion"] = f"my key is {secret}"
    with pytest.raises(UserError, match=r"examples\.jsonl holds an API key or token"):
        upload(*written("me"))
    assert not hub.repositories.get("datasets/me/lang-persona-small-es_en-data")
