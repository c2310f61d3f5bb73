"""The one common way to train: small functions and classes that a trainer's script calls.

A trainer stays a script that is read from top to bottom; this package does what all of them need:

| file | does |
|---|---|
| `settings.py` | the knobs that every run has; a dataclass of knobs as command line options |
| `run.py` | a run: device, processes, steps, reports, checkpoint, early stopping |
| `learner.py` | one optimiser step: accumulation, scaling, clipping, averaged weights |
| `patches.py` | patches cut out of prepared arrays |
| `sources.py` | the numbers in a source's name: its weight, how many are simulated |
| `script.py` | a trainer's command line; its errors as one sentence |
| `feeding.py` | batches drawn ahead in threads, pinned memory, copies beside the computing |
| `precision.py`, `processes.py`, `randomness.py`, `averaging.py`, `rates.py`, `stopping.py`,
  `checkpoint.py`, `board.py` | one idea each |
| `card.py`, `errors.py` | the card of weights just trained; what can go wrong |

A whole trainer:

    @dataclass(frozen=True)
    class Settings(RunSettings):
        rate: float = knob(2e-4, "highest learning rate")

    given = parser_of("NAME", __doc__, Settings).parse_args()
    settings = settings_from(given, Settings)

    with Run(settings, given.out) as run:
        network = Network().to(run.device)
        adam = torch.optim.Adam(network.parameters())
        learner = run.learner("network", network, adam, clip=1.0,
                              rate=warm_cosine(settings.rate, 200, settings.steps))
        if given.resume:
            run.resume()

        def draw(random):                       # in threads; all that is random from `random`
            return {"mr": ..., "ct": ...}       # (B, C, H, W) arrays

        for batches in run.steps(draw):         # `accumulate` batches a step, on the device
            with learner.step(len(batches)) as backward:
                for batch in batches:
                    with run.autocast():
                        made = network(batch["mr"])
                    loss = l1(made.float(), batch["ct"])
                    backward(loss)
                    run.tell(loss=loss)
            if run.due:                         # every `save_every` steps and after the last
                score = validate(learner.best("network")) if run.processes.first else None
                run.report(learner.weights(), score=score, pictures={"made": made})

A GAN has two learners; each `step` is one optimiser step, and they may be nested or in turns:

    generator = run.learner("generator", {"unet": unet}, adam_g)
    critic = run.learner("critic", patch_critic, adam_d, average=0.0)
    ...
            with critic.step(len(batches)) as backward:
                for batch in batches:
                    backward(game.discriminator(patch_critic(real), patch_critic(made.detach())))
            with generator.step(len(batches)) as backward, critic.frozen():
                for batch in batches:
                    backward(l1(made, real) + game.generator(patch_critic(made)))

Started plainly it runs on one device; by `torchrun --nproc-per-node 2 -m trainers.x …` on several.
"""
