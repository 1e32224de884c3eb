"""Kedro's config loader, with the resolved studies among the parameters.

This is the one place where study files and an environment meet. It works wherever Kedro builds a
context, with or without hooks (kedro-viz, notebooks).
"""

from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from lang_persona.config import validate
from lang_persona.environments import Environment, Judges, environment_of
from lang_persona.errors import UserError, close_names
from lang_persona.judges import judge_class
from lang_persona.resolve import resolve
from lang_persona.run_parameters import RunParameters
from lang_persona.slices.asked import judging
from lang_persona.studies import Study, load_studies


class StudyConfigLoader(OmegaConfigLoader):
    """OmegaConfigLoader whose ``parameters`` also hold one mapping for every study file."""

    def __getitem__(self, key: str) -> Any:
        """Return a config; ``parameters`` gain the studies, resolved for the environment.

        Raises:
            UserError: A study or environment that is not valid, or a study key given at run time.
        """
        value = super().__getitem__(key)
        if key != "parameters":
            return value
        studies = load_studies(Path(self.conf_source) / self.base_env / "studies")
        clash = set(studies) & set(value)
        if clash:
            raise UserError(
                f"parameters name the study {sorted(clash)}: a study is set in conf/base/studies/<study>.yml only"
            )
        where = f"conf/{self.env or self.default_run_env}/parameters.yml"
        _refuse_strays(value, where)
        environment = validate(Environment, environment_of(value), where)
        asked = {key: value[key] for key in RunParameters.model_fields if key in value}
        run = validate(RunParameters, asked, f"{where}, conf/{self.base_env}/parameters.yml or --params")
        resolved = {name: resolve(study, environment) for name, study in studies.items()}
        judges = list(environment.judges.language)
        first = run.replay_judge or judges[0]
        judge_class(first)  # an unknown name is refused before anything is read
        named = {"language": [first, *(judge for judge in judges if judge != first)]}
        replay = {
            "replay_file": run.replay_file,
            "judges": judging(environment, "replay", validate(Judges, named, "replay_judge")),
            "scoring": {"kind": "directive", "behaviours": {}},  # completions that ask for a language
            "indeterminate_above": Study.model_fields["indeterminate_above"].default,
            "studies": {name: parameters["report"] for name, parameters in resolved.items()},
        }
        plain = run.model_dump(mode="json")
        outside = {key: plain[key] for key in ("mixture_file", "tokenizer", "system_role")}
        labels = {key: plain[key] for key in plain if key.startswith("label_")}
        comparison = {key: plain[key] for key in plain if key.startswith("compare_")}
        scale_out = environment.scale_out.model_dump(mode="json")
        made = {"replay": replay, "outside": outside, "human_labels": labels, "scale_out": scale_out}
        made["comparison"] = comparison
        return {**value, **plain, **resolved, **made}


def _refuse_strays(parameters: dict[str, Any], where: str) -> None:
    """Name the key that stands where a needed one is missing; other keys are anyone's own.

    Raises:
        UserError: A key that an environment needs is missing, and one that means nothing is spelled like it.
    """
    strays = parameters.keys() - Environment.model_fields.keys() - RunParameters.model_fields.keys()
    for name, field in Environment.model_fields.items():
        if field.is_required() and name not in parameters and (close := close_names(name, strays)):
            raise UserError(f"{where}: lacks {name!r}; it has {close[0]!r}, which is no key")
