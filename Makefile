# Every path is relative, so that a folder whose name has a space works; nothing newer than GNU Make 3.81 is used.
PYTHON  ?= python3
VENV    := .venv
PY      := $(VENV)/bin/python
# Another installer, e.g.: make book INSTALL="uv pip install --torch-backend=cpu"
INSTALL ?= $(PY) -m pip install -qq --disable-pip-version-check
PYTEST  ?= $(PY) -m pytest

PINS      := requirements.txt constraints.txt pyproject.toml
PACKAGE   := $(shell find distill_helpers -name '*.py')
TABLES    := $(wildcard claims/*.toml) $(shell find studies -type f -not -name '.*' -not -name '*.part' 2>/dev/null)
PAGES     := $(shell find book -type f -not -path '*/__pycache__/*' 2>/dev/null)
# Evidence first: a lesson reads what its evidence page stored.
NOTEBOOKS := $(wildcard notebooks/evidence/*.ipynb) $(wildcard notebooks/*.ipynb)
EXECUTED  := $(NOTEBOOKS:notebooks/%=_build/executed/%)

# Holds machines with wider vectors to AVX2, so that training gives the same bits; other processors only warn.
ifneq (,$(filter x86_64 amd64,$(shell uname -m)))
export ATEN_CPU_CAPABILITY := avx2
export MKL_CBWR := AVX2
export ONEDNN_MAX_CPU_ISA := AVX2
endif
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: help book pdf archive test lab outputs lint test-pages slow studies benchmarks mutants clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

book: _build/html/index.html ## run the notebooks and render the book
	@echo "The book is ready: open _build/html/index.html in a browser."

pdf: _build/book.pdf ## the whole book as one PDF; needs Chromium or Chrome

archive: $(VENV)/.dev ## the commit and the rendered book as one file; says what NeuroLibre and ReScience C still lack
	@$(PY) tools/archive.py _build/archive

# One thread a worker: two OpenMP programs on two cores wait for each other (ten times slower).
# The notebooks begin with an empty cache: each network is trained in this run, and once.
test: $(VENV)/.dev ## unit tests, docstring examples, and every notebook against its stored outputs
	OMP_NUM_THREADS=1 DISTILL_CACHE=off DISTILL_PROGRESS=off $(PYTEST) -q -n 2 --dist loadfile -m "not slow" tests distill_helpers --ignore=tests/pages
	@rm -rf _build/cache
	OMP_NUM_THREADS=1 DISTILL_CACHE="$(CURDIR)/_build/cache" DISTILL_PROGRESS=off $(PYTEST) -q -n 2 --dist loadfile --nbval --nbval-current-env notebooks

slow: $(VENV)/.dev ## the tests marked slow (minutes to an hour)
	DISTILL_CACHE=off DISTILL_PROGRESS=off $(PYTEST) -q -m slow tests --ignore=tests/pages

lint: $(VENV)/.dev ## ruff (notebooks too), mypy, codespell
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy distill_helpers
	$(PY) -m codespell_lib

test-pages: $(VENV)/.dev _build/html/index.html ## the rendered pages in Chromium: offline, links, axe, live charts
	$(PYTEST) -q -n 2 tests/pages

outputs: $(VENV)/.book ## run every notebook without the cache and store its outputs in it
	@mkdir -p _build/executed/evidence
	@set -e; for notebook in $(NOTEBOOKS:notebooks/%=%); do \
	  DISTILL_CACHE=off DISTILL_PROGRESS=off $(PY) tools/notebooks.py execute "notebooks/$$notebook" "_build/executed/$$notebook"; \
	  $(PY) tools/notebooks.py store "_build/executed/$$notebook" "notebooks/$$notebook"; \
	  touch "_build/executed/$$notebook"; \
	done
	@$(PY) tools/notebooks.py picture notebooks/should-you-distil.ipynb headline-figure book/_static/headline.png

lab: $(VENV)/.book ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab notebooks

studies: $(VENV)/.book ## what is too long for a chapter (hours); goes on where it was stopped
	@names=$$($(PY) -m distill_helpers study) || exit 1; \
	for study in $$(echo "$$names" | cut -d ' ' -f 1); do $(PY) -m distill_helpers study $$study || exit 1; done
	@for study in costs members; do $(PY) studies/deployment.py $$study || exit 1; done
	@$(PY) studies/report.py
	@$(PY) studies/map_data.py

benchmarks: $(VENV)/.bench ## time training, a student in C and a sweep, beside their peers (minutes, on a quiet machine)
	$(PY) benchmarks/training.py
	$(PY) benchmarks/standalone.py
	$(PY) benchmarks/sweeps.py --output benchmarks

$(VENV)/.bench: benchmarks/requirements.txt $(VENV)/.book
	@$(INSTALL) -c constraints.txt -r benchmarks/requirements.txt
	@touch $@

mutants: $(VENV)/.dev ## break the losses on purpose and count the breaks that the tests notice (two minutes)
	@$(INSTALL) mutmut==3.8.1
	@rm -rf mutants && OMP_NUM_THREADS=1 $(PY) -m mutmut run && $(PY) -m mutmut results
	@$(PY) -m mutmut results --all true | $(PY) tools/mutants.py benchmarks/mutants.csv

clean: ## remove what was built; `rm -r .venv` removes the environment as well
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis

_build/executed/%.ipynb: notebooks/%.ipynb tools/notebooks.py $(PACKAGE) $(TABLES) $(PINS) | $(VENV)/.book
	@mkdir -p $(@D)
	@$(PY) tools/notebooks.py execute $< $@ || { echo "The book is left as it was."; exit 1; }

_build/executed/museum-of-bugs.ipynb: notebooks/evidence/03-distillation-objective.ipynb notebooks/evidence/02-tempered-soft-targets.ipynb
_build/executed/00-the-claim.ipynb: notebooks/evidence/00-the-claim.ipynb
_build/executed/01-ensemble-variance-reduction.ipynb: notebooks/evidence/01-ensemble-variance-reduction.ipynb
_build/executed/02-tempered-soft-targets.ipynb: notebooks/evidence/02-tempered-soft-targets.ipynb
_build/executed/03-distillation-objective.ipynb: notebooks/evidence/03-distillation-objective.ipynb
_build/executed/04-temperature-squared.ipynb: notebooks/evidence/04-temperature-squared.ipynb
_build/executed/05-capacity-mismatch.ipynb: notebooks/evidence/05-capacity-mismatch.ipynb
_build/executed/06-deployment.ipynb: notebooks/evidence/06-deployment.ipynb notebooks/evidence/00-the-claim.ipynb
_build/executed/07-your-own-data.ipynb: notebooks/evidence/07-your-own-data.ipynb
_build/executed/08-when-distilling-pays.ipynb: notebooks/evidence/08-when-distilling-pays.ipynb
_build/executed/09-one-token-at-a-time.ipynb: notebooks/evidence/09-one-token-at-a-time.ipynb
_build/executed/should-you-distil.ipynb: notebooks/evidence/03-distillation-objective.ipynb notebooks/evidence/06-deployment.ipynb
# What a thousandth of a nat is worth, on every page that counts in them.
$(foreach page,00-the-claim 01-ensemble-variance-reduction 03-distillation-objective 05-capacity-mismatch 06-deployment \
  07-your-own-data 08-when-distilling-pays should-you-distil,_build/executed/$(page).ipynb): notebooks/evidence/02-tempered-soft-targets.ipynb

# Rendered into a new folder and then swapped in, so that a failure leaves the last good book standing.
_build/html/index.html: $(EXECUTED) $(PAGES) $(PACKAGE) $(PINS) _config.yml _toc.yml | $(VENV)/.book
	@rm -rf _build/src _build/new _build/old
	@mkdir -p _build/src/notebooks/evidence
	@cp _config.yml _toc.yml _build/src/
	@cp -R book _build/src/
	@for notebook in $(NOTEBOOKS:notebooks/%=%); do cp "_build/executed/$$notebook" "_build/src/notebooks/$$notebook"; done
	@echo "rendering the book"
	@$(VENV)/bin/jupyter-book build _build/src --path-output _build/new -W -n --keep-going -q >_build/render.log 2>&1 \
	  || { grep -E 'WARNING|ERROR|error' _build/render.log | head -20; \
	       echo "The book did not render; the last good one still stands. All of the log: _build/render.log"; exit 1; }
	@if [ -d _build/html ]; then mv _build/html _build/old; fi
	@mv _build/new/_build/html _build/html
	@rm -rf _build/new _build/old
	@touch $@

_build/book.pdf: _build/html/index.html tools/pdf.py tools/browser.py CITATION.cff | $(VENV)/.dev
	@$(PY) tools/pdf.py _build/html $@

$(VENV)/.book: $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) is missing, or older than Python 3.11; name another: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing what the book needs into $(VENV) (a few minutes the first time)"
	@$(INSTALL) -c constraints.txt -r requirements.txt -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.book
	@echo "installing what the tests need into $(VENV)"
	@$(INSTALL) -c constraints.txt -r requirements-dev.txt
	@touch $@
