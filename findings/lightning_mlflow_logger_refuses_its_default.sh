#!/usr/bin/env bash
# One would guess: Lightning's MLFlowLogger(), without arguments, logs a training with the MLflow that pip installs.
# What happens: the training ends before its first step. The logger's default is a folder, "./mlruns", and MLflow refuses
# to write to a new one, as its file store is in maintenance. MLflow's own default is a database by now: with
# tracking_uri="sqlite:///mlflow.db" the same training is logged.
# Version: lightning 2.6.6, mlflow 3.17.2, torch 2.13.0. Source: lightning/pytorch/loggers/mlflow.py (save_dir="./mlruns"),
# mlflow/store/tracking/file_store.py.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet lightning==2.6.6 mlflow==3.17.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable()
import lightning
import lightning.pytorch as pl
import mlflow
import torch
from lightning.pytorch.loggers import MLFlowLogger

print("lightning", lightning.__version__, "mlflow", mlflow.__version__, "torch", torch.__version__)


class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.steps = 0

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch).square().mean()
        self.log("loss", loss)
        self.steps += 1
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(**options):
    """Steps that are taken with the logger, and what ends the training."""
    line, ended = Line(), None
    try:
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=MLFlowLogger(**options),
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(line, torch.utils.data.DataLoader(torch.rand(4, 2), batch_size=2))
    except Exception as error:
        ended = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return line.steps, ended


found = {"MLFlowLogger()": trained(), "with sqlite": trained(tracking_uri="sqlite:///mlflow.db")}
for name, (steps, ended) in found.items():
    print(f"{name}: {steps} steps, ended by {ended}"[:300])
assert found["with sqlite"] == (2, None)
steps, ended = found["MLFlowLogger()"]
assert steps == 0 and ended is not None and "MlflowException" in ended, "the behaviour has changed"
PYTHON
