"""What Kedro logs of a failure that the command line tells anyway."""

import logging
import sys

from lang_persona.errors import mistake_in

#: Loggers of Kedro that repeat a node's error, or advise on resuming after it.
ECHOES = ("kedro.pipeline.node", *(f"kedro.runner.{kind}_runner" for kind in ("sequential", "thread", "parallel")))


def is_no_echo(record: logging.LogRecord) -> bool:
    """Whether a record says more than the user's mistake that is on its way to the command line."""
    return record.levelno < logging.WARNING or mistake_in(sys.exc_info()[1]) is None


def tell_mistakes_once() -> None:
    """Keep Kedro from logging a user's mistake, and advice after it; other errors are logged as ever."""
    for name in ECHOES:
        logging.getLogger(name).addFilter(is_no_echo)
