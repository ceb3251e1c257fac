# The verbs of Mask Kiosk. `make` alone prints them, with these lines.
#  make VERB NAME=value …   What is in brackets can be left out; several folders or hosts go in quotes.
#  DATA    folder with two folders of photos, with_mask and without_mask (default: the notebook's, fetched)
#  EXTRA   more folders to train on, APART to measure with; what resembles photos in APART isn't trained on
# (What a folder may hold stands in trainer/photos.py.)
#  MODEL   network to train (door, simple, resnet, vgg19), or model to run: its name, practice, or a .tflite file
#  HOST    a Pi, as pi@kiosk.local; several, as "pi@a pi@b"; or a file with one a line
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

PYTHON ?= python3
MODEL ?= door
PRESENT ?= door
SEED ?= 0
SPLIT ?= grouped
THREADS ?= 2
CAMERA ?= usb:0
FRAMES ?= 1000000
TRIES ?= 1000000
RUNS ?= runs
MODELS ?= models

# What is switched on by any value, as 1, is off by 0.
$(foreach name,CROPPED SLICES DRY_RUN ONLINE JSON,$(eval override $(name) := $(filter-out 0,$($(name)))))

# A misspelt name would leave its default in force: training would replace `door`, a dry run be a real deployment.
known := APART BACKGROUNDS BY CAMERA CHAPTERS CLIPS CONFIG CPU CROPPED CROPS DATA DAYS DEBIAN DRY_RUN EPOCHS EXTRA \
	FINDER FOLDS FRAMES FROM HOLD_OUT HOST JSON KEY KNOWN_GROUPS MASK_KIOSK_PI MEASURE MISS_COST MODEL MODELS ON \
	ONLINE ONLY PAGE PICTURES PRESENT PYTHON RAY_ADDRESS RINGS RUNS RUNTIME SCENES SEED SIZE SLICES SPLIT START \
	TEACHER THREADS TO TRIES TRUST UNLABELLED YUNET
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(if $(filter-out $(known) HOME PATH venv,$(given)),$(error no verb knows the name \
	$(filter-out $(known) HOME PATH venv,$(given)), expected one of $(known)))
$(if $(DRY_RUN),$(if $(filter-out deploy,$(MAKECMDGOALS)),$(error only deploy takes DRY_RUN, not \
	$(filter-out deploy,$(MAKECMDGOALS)): leave it out)))
$(if $(filter-out 12 13,$(DEBIAN)),$(error DEBIAN is $(DEBIAN), expected 12 for Bookworm or 13 for Trixie))
$(if $(filter CONFIG,$(given)),$(if $(filter deploy,$(MAKECMDGOALS)),$(error deploy takes no CONFIG, each Pi has its own \
	/etc/mask-kiosk/kiosk.toml: leave it out, and see docs/deploy.md)))

networks := door simple resnet vgg19
# Out of models/, all of which a deployment ships: 44 MB of networks that no kiosk runs. Their runs lie there too, or
# `make convert` would find them trained last, and put them into models/.
compared = $(RUNS)/compared
# Whether anything says what they are trained on and how: then all of them are brought to that, ours too, beside models/.
asked = $(filter command environment,$(foreach name,DATA EXTRA APART SIZE EPOCHS SEED SPLIT THREADS FINDER MISS_COST,\
	$(origin $(name))))
venv := .venv/bin/python
config = $(if $(CONFIG),--config "$(CONFIG)")
# The model that a kiosk.toml names, unless MODEL= does. The camera is CAMERA: a Pi's file names one that isn't here.
model = $(if $(and $(CONFIG),$(filter file,$(origin MODEL))),,--model "$(MODEL)")
# Deploying needs no environment: any Python from 3.11 on with pip, and ssh.
on_hosts = $(PYTHON) -m deploy $@ $(foreach host,$(HOST),"$(host)")
key = $(if $(KEY),--key "$(KEY)")
# Folds and networks are trained side by side on the Ray cluster that this names: docs/training.md
export RAY_ADDRESS
cluster = $(if $(RAY_ADDRESS),.venv/cluster)
define train_finder
	$(if $(and $(SCENES),$(BACKGROUNDS)),,{ \
		echo "error: SCENES and BACKGROUNDS are needed: make $@ SCENES=~/scenes BACKGROUNDS=~/rooms" >&2; exit 2; };) \
	$(venv) -m trainer $@ --scenes $(SCENES) --backgrounds $(BACKGROUNDS) --seed $(SEED) --threads $(THREADS) \
		$(if $(UNLABELLED),--unlabelled $(UNLABELLED)) $(if $(TEACHER),--teacher "$(TEACHER)") $(if $(MEASURE),--measure $(MEASURE)) \
		$(if $(HOLD_OUT),--hold-out $(foreach name,$(HOLD_OUT),"$(name)")) \
		$(if $(START),--start "$(START)") $(if $(EPOCHS),--epochs $(EPOCHS)) --runs "$(RUNS)" --models "$(MODELS)"
endef
# A lock file by its name, and what it is made of.
define pin
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
		--no-emit-find-links $2 --output-file $1.lock
endef
# Where the tests find real photos; each test says which of these it misses.
export DATA KNOWN_GROUPS SCENES CLIPS CROPS YUNET
# glibc gives every large array back to the kernel and takes it again: a quarter of the time of training.
export MALLOC_MMAP_MAX_ = 0
export MALLOC_TRIM_THRESHOLD_ = 8589934592

.PHONY: help .venv .venv-tflite-runtime train convert evaluate crossval compare faces face-check compare-faces run \
	judge test lint bench count-arm64 deploy doctor rollback undeploy status logs collect-key collect film accept label \
	keys publish follow unfollow test-trixie faults soak fuzz mutate audit bundle test-pi newcomer lock clean

## Models: train, convert and measure them on this computer
train: .venv/ready $(cluster)  ## train a network on photos, into runs/: [DATA= EXTRA="folder …" APART="folder …"
##  MODEL= SIZE= EPOCHS= SEED= SPLIT=grouped|random FINDER=own|haar|yunet YUNET= RAY_ADDRESS=]
	@$(if $(filter DATA,$(given)),$(if $(DATA),,{ \
		echo "error: DATA is empty, expected a folder: leave it out for the notebook's photos" >&2; exit 2; };)) \
	$(venv) -m trainer train $(if $(DATA),--data "$(DATA)") $(if $(EXTRA),--extra $(EXTRA)) \
		$(if $(APART),--apart $(APART)) --model $(MODEL) $(if $(SIZE),--size $(SIZE)) \
		$(if $(EPOCHS),--epochs $(EPOCHS)) --seed $(SEED) --split $(SPLIT) --threads $(THREADS) --runs "$(RUNS)" \
		$(if $(FINDER),--finder $(FINDER)) $(if $(YUNET),--yunet "$(YUNET)")
convert: .venv/ready  ## write the network trained last to models/NAME.tflite, with its card: [MISS_COST=]
	@$(venv) -m trainer convert --runs "$(RUNS)" --models "$(MODELS)" $(if $(MISS_COST),--miss-cost $(MISS_COST))
evaluate: .venv/ready  ## measure a model on labelled photos: DATA= [MODEL= CROPPED=1 SLICES=1 YUNET=]
	@test -n "$(DATA)" || { echo "error: DATA is missing, expected a folder: make evaluate DATA=~/photos" >&2; exit 2; }
	@$(venv) -m trainer evaluate --data "$(DATA)" --model "$(MODEL)" $(if $(CROPPED),--cropped) $(if $(SLICES),--slices) \
		$(if $(YUNET),--yunet "$(YUNET)")
accept: .venv/ready  ## may a new model replace the present one? MODEL=new.tflite ON="folder …"
##  [PRESENT= CROPPED=1 YUNET=]
	@test -n "$(ON)" || { echo "error: ON is missing: make accept MODEL=new/door.tflite ON=~/faces" >&2; exit 2; }
	@$(venv) -m trainer accept --model "$(MODEL)" --present "$(PRESENT)" --data $(ON) $(if $(CROPPED),--cropped) \
		$(if $(YUNET),--yunet "$(YUNET)")
label: .venv/ready  ## label face crops in the browser: PICTURES=folder
	@test -n "$(PICTURES)" || { echo "error: PICTURES is missing: make label PICTURES=~/faces" >&2; exit 2; }
	@$(venv) -m trainer label "$(PICTURES)"
compare: .venv/ready $(cluster)  ## measure all networks side by side; trains those that aren't, with DATA= all: ON="folder …"
##  [DATA= CROPPED=1 RAY_ADDRESS=]
	@test -n "$(ON)" || { echo "error: ON is missing: make compare DATA=~/photos ON=~/other-photos" >&2; exit 2; }
	@missing=$$(for name in $(networks); do \
		test -z "$(asked)" -a \( -f "$(MODELS)/$$name.json" -o -f "$(compared)/$$name.json" \) || echo $$name; done); \
	test -z "$$missing" || $(MAKE) --no-print-directory train convert MODEL="$$(echo $$missing)" RUNS="$(compared)" \
			MODELS="$(compared)"
	@$(venv) -m trainer compare --data $(ON) $(if $(CROPPED),--cropped) --runs "$(RUNS)" $(if $(YUNET),--yunet "$(YUNET)") \
		--model $(foreach name,$(networks),"$$(test -z "$(asked)" -a -f "$(MODELS)/$(name).json" && echo "$(MODELS)" || echo "$(compared)")/$(name)$(filter-out -grouped,-$(SPLIT)).tflite")
crossval: .venv/ready $(cluster)  ## judge each source of photos by a model that never saw it: DATA= [EXTRA= MODEL= BY=group
##  FOLDS= SIZE= EPOCHS= SEED= RAY_ADDRESS=]
	@test -n "$(DATA)" || { echo "error: DATA is missing, expected a folder: make crossval DATA=~/photos" >&2; exit 2; }
	@$(venv) -m trainer crossval --data "$(DATA)" $(EXTRA) $(if $(APART),--apart $(APART)) --model "$(MODEL)" $(if $(BY),--by $(BY)) \
		$(if $(FOLDS),--folds $(FOLDS)) $(if $(SIZE),--size $(SIZE)) $(if $(EPOCHS),--epochs $(EPOCHS)) --seed $(SEED) \
		--threads $(THREADS) --runs "$(RUNS)"
faces: .venv/ready  ## train the face finder: SCENES="folder …" BACKGROUNDS="folder …" [UNLABELLED=
##  TEACHER= HOLD_OUT= MEASURE= START= EPOCHS=]
	@$(train_finder)
face-check: .venv/ready  ## train the second network of the face finder, its check: as `make faces`
	@$(train_finder)
compare-faces: .venv/ready  ## measure face finders side by side: SCENES="folder …" [BACKGROUNDS= YUNET= ONLY=]
	@test -n "$(SCENES)" || { echo "error: SCENES is missing: make compare-faces SCENES=~/scenes" >&2; exit 2; }
	@$(venv) -m trainer compare-faces --scenes $(SCENES) $(if $(BACKGROUNDS),--backgrounds "$(BACKGROUNDS)") \
		$(if $(YUNET),--yunet "$(YUNET)") $(if $(ONLY),--only $(foreach name,$(ONLY),"$(name)")) --runs "$(RUNS)"

## The kiosk on this computer
run: .venv/ready  ## run it on a camera or a recording: [CAMERA=usb:0|pi|FILE|FOLDER|rtsp://… MODEL= CONFIG=]
	@$(venv) -m device run --camera "$(CAMERA)" $(model) $(config)
judge: .venv/ready  ## judge pictures, one line each: PICTURES=FILE|FOLDER [MODEL= CONFIG=]
	@test -n "$(PICTURES)" || { echo "error: PICTURES is missing: make judge PICTURES=~/photos" >&2; exit 2; }
	@$(venv) -m device judge "$(PICTURES)" $(model) $(config)

## The kiosk on Raspberry Pis
deploy:  ## install this tree and start it, or update to it: HOST= [DRY_RUN=1 ONLINE=1 RUNTIME=]
	@$(on_hosts) $(if $(RUNTIME),--runtime "$(RUNTIME)") $(if $(ONLINE),--online) $(if $(DRY_RUN),--dry-run)
doctor:  ## say what is wrong, why it matters and what to do: HOST= [JSON=1]
	@$(on_hosts) $(if $(JSON),--json)
status:  ## say which release runs, and what it sees: HOST=
	@$(on_hosts)
logs:  ## print the last lines of the kiosk's log: HOST=
	@$(on_hosts)
rollback:  ## start the release before the current one again: HOST=
	@$(on_hosts)
undeploy:  ## remove the kiosk, outputs off; settings stay: HOST=
	@$(on_hosts)
collect-key: .venv/ready  ## make the pair of keys for faces that a kiosk keeps (docs/collect.md): [TO=folder]
	@$(venv) -m trainer collect-key $(if $(TO),--to "$(TO)")
collect: .venv/ready  ## fetch and open the faces that kiosks kept: HOST= TO=folder [KEY=]
	@$(venv) -m deploy $@ $(foreach host,$(HOST),"$(host)") $(if $(TO),--to "$(TO)") $(key)
bundle:  ## pack a release with its packages into a file for a Pi's first start: [DEBIAN=12|13 RUNTIME=]
	@$(PYTHON) -m deploy bundle $(if $(DEBIAN),--debian "$(DEBIAN)") $(if $(RUNTIME),--runtime "$(RUNTIME)")

## Many doors, which fetch their releases from a web server (docs/fleet.md)
keys:  ## make the pair of keys that signs releases: [KEY=]
	@$(PYTHON) -m deploy keys $(key)
publish:  ## write a signed release for the server: TO=folder [DAYS=30 RINGS="5@0 25@24 100@72"
##  KEY= TRUST= DEBIAN= RUNTIME=]
	@$(PYTHON) -m deploy publish $(if $(TO),--to "$(TO)") $(key) $(if $(TRUST),--trust $(foreach key,$(TRUST),"$(key)")) \
		$(if $(DAYS),--days "$(DAYS)") $(if $(RINGS),--rings "$(RINGS)") $(if $(DEBIAN),--debian "$(DEBIAN)") \
		$(if $(RUNTIME),--runtime "$(RUNTIME)")
follow:  ## have Pis fetch their releases from there: HOST= FROM=https://… [KEY=]
	@$(on_hosts) --from "$(FROM)" $(key)
unfollow:  ## have them no longer do so: HOST=
	@$(on_hosts)

## For developers
test: .venv/ready  ## run the tests, a quarter of an hour: [DATA= KNOWN_GROUPS= SCENES= CLIPS= CROPS= YUNET=]
	@$(venv) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
lint: .venv/ready  ## check style and types
	@$(venv) -m ruff check
	@$(venv) -m mypy
.venv: .venv/ready  ## make this computer's Python environment; other verbs do so where they need it
bench: .venv/ready  ## measure costs beside others, 8 minutes on a quiet computer -> docs/bench.md: [YUNET=]
	@PYTHONPATH=.:tests $(venv) -m bench --models "$(MODELS)" $(if $(YUNET),--yunet "$(YUNET)")
count-arm64:  ## count instructions on emulated arm64, 3 minutes: [MODEL="door simple"]
	@tests/arm64/count.sh $(if $(filter command line environment,$(origin MODEL)),$(MODEL),faces faces-check door simple empty face)
faults: .venv/ready  ## break a kiosk in every way, 10 minutes -> docs/faults.md: [ONLY="SIGKILL clock"]
	@PYTHONPATH=.:tests $(venv) -m faults $(ONLY)
soak: .venv/ready  ## run a whole kiosk for 20 minutes or more -> docs/faults.md: [FRAMES=1000000]; Ctrl-C ends it
	@PYTHONPATH=.:tests $(venv) -m faults.soak --frames $(FRAMES)
fuzz: .venv/fuzz  ## give every reader broken input, for hours, on x86-64 Linux -> docs/fuzz.md:
##  [TRIES=1000000 ONLY="page card"]
	@PYTHONPATH=.:tests $(venv) -m fuzz --runs $(TRIES) --folder "$(RUNS)/fuzz" $(ONLY)
mutate: .venv/ready .venv-mutate/ready  ## break the device's core bit by bit, half an hour: what do tests miss? [ONLY="crop …"]
	@tests/mutate/run.sh "$(RUNS)/mutate" $(or $(ONLY),decision crop model_card classifier)
audit: .venv-audit/ready  ## list what is in the packages -> dist/sbom-*.json, and which have known security holes
	@mkdir -p dist; set -e; for lock in requirements deploy/debian-12 deploy/debian-13; do \
		.venv-audit/bin/python -m cyclonedx_py requirements $$lock.lock --output-file dist/sbom-$$(basename $$lock).json; \
	done; for lock in requirements deploy/debian-12 deploy/debian-13; do \
		.venv-audit/bin/python -m pip_audit --strict --disable-pip --no-deps --progress-spinner off --requirement $$lock.lock; \
	done
test-pi: .venv/ready  ## try everything on an emulated Pi, half an hour or more (tests/virtual_pi): [CHAPTERS= PAGE=]
	@PAGE="$(abspath $(PAGE))" tests/virtual_pi/test.sh $(CHAPTERS)
test-trixie:  ## build and prove a release for Debian 13 in an emulated root, minutes
	@tests/virtual_pi/trixie.sh
newcomer:  ## try the README's two commands in a new Debian -> docs/newcomer.log (root, mmdebstrap, qemu)
	@tests/newcomer.sh > docs/newcomer.log.part && mv docs/newcomer.log.part docs/newcomer.log
film: .venv/ready  ## film the kiosk's page before a drawn visitor -> docs/kiosk.webp (needs chromium)
	@PYTHONPATH=tests $(venv) -m film
lock:  ## pin the versions in pyproject.toml again (needs uv)
	@$(call pin,requirements,--universal --extra device --extra trainer --extra dev pyproject.toml)
	@$(call pin,cluster,--universal --extra cluster --constraint requirements.lock pyproject.toml)
	@$(call pin,tests/tflite-runtime,tests/tflite-runtime.in)
	@$(call pin,tests/audit,--universal tests/audit.in)
	@$(call pin,tests/mutate,--universal tests/mutate.in)
	@$(call pin,tests/fuzz,--universal tests/fuzz.in)
clean:  ## remove environments, training runs and what `make compare` has trained; models/ stays
	@rm -rf .venv .venv-tflite-runtime .venv-audit .venv-mutate .pytest_cache .mypy_cache .ruff_cache "$(RUNS)"
help:  ## print this list
	@awk -F ':.*## ' '/^#  / { print substr($$0, 4) } /^## [A-Z]/ { print "\n" substr($$0, 4) } \
		/^[a-z0-9.-]+:.*## / { printf "  %-15s%s\n", $$1, $$2 } /^##  / { printf "%17s%s\n", "", substr($$0, 5) }' \
		$(firstword $(MAKEFILE_LIST))

# `python -m` everywhere: scripts in a venv don't start from a path with a space.
.venv/ready: requirements.lock
	@$(call make_venv,.venv,$<,13)
.venv/cluster: cluster.lock .venv/ready
	@$(call alone,.venv); echo "adding Ray to .venv from $<"; $(call install,.venv,$<); touch $@
.venv/fuzz: tests/fuzz.lock .venv/ready
	@test "$$(uname -sm)" = "Linux x86_64" || { echo "error: this is $$(uname -sm), expected Linux x86_64, the only" \
		"one that atheris is built for: without it, TRIES=10000 .venv/bin/python -m pytest tests/test_fuzz.py" >&2; exit 2; }
	@$(call alone,.venv); echo "adding atheris to .venv from $<"; $(call install,.venv,$<); touch $@
# The device on its second runtime; tflite-runtime exists up to Python 3.11.
.venv-tflite-runtime: .venv-tflite-runtime/ready
.venv-tflite-runtime/ready: tests/tflite-runtime.lock
	@$(call make_venv,.venv-tflite-runtime,$<,11)
.venv-audit/ready: tests/audit.lock
	@$(call make_venv,.venv-audit,$<,13)
.venv-mutate/ready: tests/mutate.lock
	@$(call make_venv,.venv-mutate,$<,13)

# One make at a time in a folder $(1). The system lets go of the lock when the last process ends that has descriptor 9,
# killed or not: the shell or what it has started. The file stays, or a next make would lock another of its name.
define alone
	set -e; exec 9>>$(1).busy; \
	hold() { \
		if command -v flock >/dev/null; then flock $$1 9; \
		else perl -MFcntl=:flock -e 'open F, ">&=9"; exit !flock F, LOCK_EX | (@ARGV && LOCK_NB)' -- $$1; fi; \
	}; \
	hold -n || { echo "another make is at work on $(1): waiting for it"; hold; }
endef
# A venv can't be made elsewhere and moved, so nothing may run from the one that is replaced: its packages' libraries are
# in the memory of whoever does.
define make_venv
	$(call alone,$(1)); test $(2) -nt $(1)/ready || exit 0; \
	if test -d $(1); then \
		at="$$(cd $(1) && pwd -P)/"; \
		users=$$(if test -d /proc/self; then grep -lsF "$$at" /proc/[0-9]*/maps | cut -d / -f 3; \
			else lsof -nP 2>/dev/null | grep -F "$$at" | awk '{ print $$2 }' | sort -u; fi | xargs); \
		test -z "$$users" || { \
			echo "error: $(1) has to be made anew from $(2), but programs run from it, processes $$users: wait for them," \
			"or stop them (a training goes on later), and call make again" >&2; exit 2; }; \
	fi; \
	echo "making $(1) from $(2), a few minutes"; rm -rf $(1); \
	if command -v uv >/dev/null; then \
		uv venv --quiet --seed --python '>=3.11,<=3.$(3).999' $(1); \
	else \
		$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $(3)))' 2>/dev/null || { \
			found=$$($(PYTHON) --version 2>/dev/null) || found="no Python here"; \
			echo "error: $(PYTHON) is $$found, expected Python 3.11 to 3.$(3): name one, as PYTHON=python3.11" >&2; \
			exit 2; }; \
		$(PYTHON) -m venv $(1); \
	fi; $(call install,$(1),$(2)); touch $(1)/ready
endef
define install
	if command -v uv >/dev/null; then \
		uv pip install --no-config --quiet --python $(1)/bin/python --require-hashes --requirement $(2); \
	else \
		$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(2); \
	fi
endef
