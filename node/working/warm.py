"""Networks that are loaded once a process and stay warm."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from node.working.retry import sentence_of

if TYPE_CHECKING:
    from pipelines.contract import Pipeline

log = logging.getLogger(__name__)


class WarmPipelines:
    """Loads a pipeline when it is first needed; one job at a time uses it.

    Args:
        loader: loads one by its name.
    """

    def __init__(self, loader: Callable[[str], Pipeline]) -> None:
        self._loader = loader
        self._loaded: dict[str, Pipeline] = {}
        self._lock = threading.Lock()

    def preload(self, names: Iterable[str], unless: Callable[[], bool] = lambda: False) -> None:
        """Load pipelines before the first job; one that cannot be loaded fails its jobs later.

        Args:
            names: of the pipelines.
            unless: asked before each; when it says yes, the rest is left.
        """
        for name in sorted(set(names)):
            if unless():
                return
            try:
                with self.use(name):
                    pass
            except Exception as error:  # noqa: BLE001 - job runner: the others can be loaded
                facts = {"action": "pipeline_unavailable", "pipeline": name}
                sentence = sentence_of(error)
                log.error("a pipeline cannot be loaded: %s", sentence, extra=facts)  # noqa: TRY400

    @contextlib.contextmanager
    def use(self, name: str) -> Iterator[Pipeline]:
        """The pipeline of that name, for this thread alone.

        Raises:
            Exception: it cannot be loaded; a `PipelineError` where that was foreseen.
        """
        with self._lock:
            if name not in self._loaded:
                began = time.monotonic()
                self._loaded[name] = self._loader(name)
                seconds = round(time.monotonic() - began, 2)
                facts = {"action": "pipeline_loaded", "pipeline": name, "seconds": seconds}
                log.info("a pipeline is warm", extra=facts)
            yield self._loaded[name]
