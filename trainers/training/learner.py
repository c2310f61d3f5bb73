"""One optimiser and the networks that it trains: a GAN has two learners, a plain network one.

with learner.step(parts=2) as backward:     # sets the learning rate, clears gradients
    for batch in batches:
        backward(loss_of(batch))            # scaled, added up
# here: gradients averaged over processes, unscaled, clipped; optimiser; averaged weights
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from torch import Tensor, nn, optim

from trainers.training.averaging import averaged_copy, follow
from trainers.training.errors import CheckpointError, StepError
from trainers.training.precision import Precision
from trainers.training.processes import Processes
from trainers.training.rates import Rate

Backward: TypeAlias = Callable[[Tensor], None]


class Learner:
    """Networks, their optimiser, their averaged copies, gradient scaling and clipping.

    Args:
        networks: by name, on their device; the optimiser has their parameters and no others.
        optimiser: of torch.
        processes: of the run.
        precision: of the run.
        rate: learning rate of a step; None leaves the optimiser's own.
        clip: largest norm of the gradient; 0 does not clip.
        average: decay of the averaged weights; 0 keeps none.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        optimiser: optim.Optimizer,
        processes: Processes,
        precision: Precision,
        *,
        rate: Rate | None = None,
        clip: float = 0.0,
        average: float = 0.0,
    ) -> None:
        self.networks = nn.ModuleDict(networks)
        self.optimiser, self.rate, self.clip, self.decay = optimiser, rate, clip, average
        self.steps = 0
        self._processes = processes
        self._scaler = precision.scaler()
        processes.same_everywhere(self.networks)
        followers = {name: averaged_copy(one) for name, one in networks.items()} if average else {}
        self.averaged = nn.ModuleDict(followers)

    def best(self, name: str) -> nn.Module:
        """The network to judge and to ship: the averaged one where there is one."""
        return self.averaged[name] if self.averaged else self.networks[name]

    def weights(self, **prefixes: str) -> dict[str, Tensor]:
        """State of the networks to ship, for one file.

        Args:
            prefixes: network to what its keys begin with (`ip="in_n_out."`); without any, all
                networks, one alone without a prefix, several as `name.`.
        """
        if not prefixes:
            alone = len(self.networks) == 1
            prefixes = {name: "" if alone else f"{name}." for name in self.networks}
        return {
            f"{prefix}{key}": value
            for name, prefix in prefixes.items()
            for key, value in self.best(name).state_dict().items()
        }

    def start_from(self, weights: Mapping[str, Tensor], name: str | None = None) -> None:
        """Begin with trained weights; the averaged copy begins there, too.

        Args:
            weights: state of the network, keys without prefix.
            name: of the network; the only one when left out.

        Raises:
            CheckpointError: they are of another network.
        """
        name = name or next(iter(self.networks))
        wanted = {key: value.shape for key, value in self.networks[name].state_dict().items()}
        given = {key: value.shape for key, value in weights.items()}
        if wanted != given:
            fitting = sum(given.get(key) == shape for key, shape in wanted.items())
            raise CheckpointError(
                f"Weights to start from are wanted for this network, got those of another one: "
                f"{fitting} of {len(wanted)} parts fit; name another file, or the settings that "
                "these weights were trained with."
            )
        self.networks[name].load_state_dict(weights)
        if self.averaged:
            self.averaged[name].load_state_dict(weights)

    @contextlib.contextmanager
    def step(self, parts: int = 1) -> Iterator[Backward]:
        """One optimiser step from the losses of `parts` batches, done when the block ends.

        An error inside the block leaves the weights as they were.

        Raises:
            StepError: another number of losses came than parts were announced.
        """
        came = 0

        def backward(loss: Tensor) -> None:
            nonlocal came
            came += 1
            self._scaler.scale(loss / parts if parts > 1 else loss).backward()

        if self.rate is not None:
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate(self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        yield backward
        if came != parts:
            raise StepError(f"A step of {parts} part(s) needs as many losses, got {came}.")
        self._finish()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, the networks get no gradients: a critic that only judges."""
        learning = [one for one in self.networks.parameters() if one.requires_grad]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)

    def _finish(self) -> None:
        parameters = list(self.networks.parameters())
        self._processes.average_gradients(parameters)
        self._scaler.unscale_(self.optimiser)
        if self.clip:
            nn.utils.clip_grad_norm_(parameters, self.clip)
        self._scaler.step(self.optimiser)
        self._scaler.update()
        for name, averaged in self.averaged.items():
            follow(averaged, self.networks[name], self.decay, self.steps)
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "steps": self.steps,
            "networks": self.networks.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.steps = int(state["steps"])
        self.networks.load_state_dict(state["networks"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
