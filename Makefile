# Everything here needs Python 3.11 or newer with pip; each target sets up .venv by itself, once.
#
#   make say TEXT="Any English sentence."     writes speech.wav   (OUT=other.wav, VOICE=name, SEED=1, MODEL=name-or-folder)
#   make test                                 runs the tests      (ARGS="-k layout" goes to pytest)

.DEFAULT_GOAL := help
.PHONY: help say test hostile lint types nano gpu clean setup

VENV ?= .venv
TEXT ?= Hello from two small cores.
OUT ?= speech.wav
SEED ?= 0
BIN := $(VENV)/bin
TORCH := torch==2.13.0
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

# What the caller writes reaches the shell through the environment: any quote, dollar or backslash survives.
export MAMTRA_TEXT := $(value TEXT)
export MAMTRA_OUT := $(value OUT)
export MAMTRA_VOICE := $(value VOICE)
export MAMTRA_SEED := $(value SEED)
export MAMTRA_MODEL := $(value MODEL)

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1 -- /p' Makefile | awk -F ' -- ' '{printf "  %-12s %s\n", $$1, $$2}'

say: $(VENV)/ready ## speak TEXT="..." into speech.wav (OUT=..., VOICE=..., SEED=..., MODEL=...)
	@test -n "$$MAMTRA_TEXT" || { echo 'say what? for example: make say TEXT="Hello from two small cores."' >&2; exit 4; }
	@printf '%s' "$$MAMTRA_TEXT" | $(BIN)/mamtra say - -o "$$MAMTRA_OUT" --seed "$$MAMTRA_SEED" $${MAMTRA_VOICE:+--voice "$$MAMTRA_VOICE"} $${MAMTRA_MODEL:+--model "$$MAMTRA_MODEL"}

test: $(VENV)/ready-to-develop ## run the tests (ARGS="..." goes to pytest)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(ARGS)

hostile: $(VENV)/ready-to-develop ## the hostile inputs of docs/reliability.md at full counts: half an hour (ARGS="..." goes to pytest)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or not slow" tests/hostile $(ARGS)

lint: $(VENV)/ready-to-develop ## style of the code, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/ready-to-develop ## static types
	$(BIN)/pyright

nano: $(VENV)/ready-to-develop ## make nano, nano-1-5 and nano-teacher again from nothing: many hours on two cores, resumable (without MAMTRA_KOKORO, docs/nano.md, heart's voice alone)
	@$(INSTALL) hibari-tts onnx
	$(BIN)/mamtra corpus synthesize -o runs/nano/corpus --count 132000 --shortest-vowel 50
	$(if $(MAMTRA_KOKORO),$(BIN)/mamtra corpus synthesize -o runs/nano/corpus --others --shard 20 --voice am_michael=780 --voice af_nova=780 --voice am_fenrir=780,@echo "MAMTRA_KOKORO names no folder (docs/nano.md), so heart will be the only voice" >&2)
	$(BIN)/mamtra nano all -f runs/nano
	$(BIN)/mamtra nano student-1-5 -f runs/nano
	$(BIN)/mamtra nano model -f runs/nano

gpu: $(VENV)/ready-for-gpu ## everything that a CUDA GPU has to tell, within eight minutes (ARGS="--minutes 4")
	$(BIN)/mamtra bench gpu -o runs/gpu $(ARGS)

setup: $(VENV)/ready ## only install

clean: ## remove what these targets made, never data or runs
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@PYTHON='$(PYTHON)' VENV='$(VENV)' sh tools/make_venv.sh

$(VENV)/ready: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing mamtra into $(VENV) (once)" >&2
	@$(INSTALL) -e .
	@touch $@

$(VENV)/ready-to-develop: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing mamtra and its development tools into $(VENV) (once; torch is the large part)" >&2
	@$(INSTALL) $(TORCH) -e '.[eval,cosyvoice,train,serve,wyoming,cpu,dev]'
	@touch $(VENV)/ready $@

$(VENV)/ready-for-gpu: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing mamtra for a GPU into $(VENV) (once; torch is the large part)" >&2
	@$(INSTALL) $(TORCH) -e '.[torch,bench,gpu,cpu,dev]'
	@touch $(VENV)/ready $@
