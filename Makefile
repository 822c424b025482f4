# Recipes by name. Each is one line; what needs more stands in .ci/run, which CI runs and nothing else.

export CARGO_TARGET_DIR ?= $(CURDIR)/target

.PHONY: check test functions rie aws upgrade verify clients schemathesis fuzz crash counts bench kills isolation sam-local model demo dev simulate advisories ci

check: ; @.ci/run fmt clippy doc deny template
test: ; cargo test --workspace
functions: ; @.ci/run functions
rie: ; @.ci/run functions rie
aws: ; @.ci/run functions aws
upgrade: ; @.ci/run functions upgrade
verify: ; @.ci/run verify
clients: ; @.ci/run clients
schemathesis: ; @.ci/run schemathesis
fuzz: ; @.ci/run fuzz
crash: ; @.ci/run crash
counts: ; @.ci/run counts
bench: ; @.ci/run bench
kills: ; @.ci/run kills
isolation: ; @.ci/run isolation
sam-local: ; @.ci/run sam_local
model: ; @.ci/run model
demo: ; cargo run -- demo
dev: ; cargo run -- dev
simulate: ; cargo run -- simulate --seed 1 --hours 1
# Fetches the advisory database from GitHub, so it is no part of `ci`.
advisories: ; @.ci/run advisories
ci: ; @.ci/run
