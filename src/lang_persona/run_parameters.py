"""What a run is asked for beside studies and environment (``conf/base/parameters.yml``, or ``--params``)."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator

from lang_persona.config import Config
from lang_persona.errors import UserError
from lang_persona.licences import LicenceName
from lang_persona.paths import locate

#: Trackers of training metrics, as transformers names them -> modules of which one must be importable.
TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",), "mlflow": ("mlflow",)}

VLLM_MISSING = (
    "the engine vllm is not installed ({why}): `pip install 'lang_persona[gpu]'` on a Linux machine with a "
    "GPU, or set engine.kind to transformers (parameters.yml)"
)


class Tracking(Config):
    """Where training reports to while it runs. No result depends on it.

    Attributes:
        report_to: Trackers; their packages are yours to install.
        folder: For trackers that write files (TensorBoard): one folder a cell below it.
        checkpoints: A training under way keeps its checkpoints in its own folder below it; they go when it ends.
    """

    report_to: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    folder: str
    checkpoints: str


class Publishing(Config):
    """What becomes of prepared repositories (docs/publishing.md). A token never belongs in a config file.

    Attributes:
        namespace: User or organisation on the Hugging Face hub to upload to; null prepares folders only.
        prefix: Beginning of every repository's name.
        private: Whether repositories that an upload creates are private.
        licence: The licence that you give to adapters, completions and judgements; null leaves it out of the cards.
    """

    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = None
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = "lang-persona"
    private: bool = True
    licence: LicenceName | None = None


class RunParameters(Config):
    """Parameters of single pipelines, usually given by ``--params key=value``.

    Attributes:
        replay_file: Completions to label and report (``--pipelines replay``), JSON lines.
        replay_judge: The judge that a replay rates and decides by; null: the environment's first.
        mixture_file: A mixture made elsewhere to audit (``--pipelines audit_file``), JSON lines of ``messages``.
        tokenizer: The tokenizer's folder to render it with.
        system_role: ``in_user_turn``: for a template without a system role, put the text before the first user turn.
        label_study: The study to draw completions of, for people to label (``--pipelines export_labels``).
        label_probe: The probe of that study.
        label_axis: What people label: language, case, refusal or coherence.
        label_rows: How many completions.
        label_file: The filled-in sample (``--pipelines import_labels``).
        compare_before: Folder of the ``report.json`` of a report (``--pipelines compare``).
        compare_after: That of the report to compare it with.
        tracking: Where training reports to.
        publishing: Where ``--pipelines publish`` uploads to.
    """

    replay_file: str | None = None
    replay_judge: str | None = None
    mixture_file: str | None = None
    tokenizer: str | None = None
    system_role: Literal["required", "in_user_turn"] = "required"
    label_study: str | None = None
    label_probe: str | None = None
    label_axis: str = "language"
    label_rows: PositiveInt = 100
    label_file: str | None = None
    compare_before: str | None = None
    compare_after: str | None = None
    tracking: Tracking
    publishing: Publishing = Publishing()

    @field_validator("replay_file", "mixture_file", "label_file")
    @classmethod
    def _no_folder(cls, path: str | None) -> str | None:
        """Refused here, since a recipe key would read all that is below a folder."""
        if path is not None and locate(path).is_dir():
            raise ValueError(f"{path} is a folder: name a file")
        return path


def require_trackers(tracking: Tracking) -> None:
    """Check that the packages of the trackers are there, before anything is computed.

    Raises:
        UserError: One is not installed.
    """
    for tracker in tracking.report_to:
        if not any(find_spec(module) for module in TRACKERS[tracker]):
            raise UserError(
                f"tracking.report_to names {tracker}, which is not installed: pip install {TRACKERS[tracker][0]}, or "
                "take it out (conf/<env>/parameters.yml)"
            )


def require_vllm() -> None:
    """Check that vLLM is there, before the trainings are paid for whose adapters it would be asked for.

    Raises:
        UserError: It is not installed.
    """
    if not find_spec("vllm"):
        raise UserError(VLLM_MISSING.format(why="no module named vllm"))
