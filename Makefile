# The targets are the front door's commands: `./dev help` explains them.
# MODEL=, ONCE=1, PRESET=, CUDA_ARCHITECTURES=, PROVE_REQUESTS=, DATA= and FUZZ_SECONDS= given to make reach it through
# the environment.
.DEFAULT_GOAL := help
TARGETS := run test build setup tidy asan tsan prove \
  bench-engine cuda-check bench-detect bench-gateway bench-replay images chart e2e fuzz train eval-detect format clean \
  help
.PHONY: $(TARGETS)

$(TARGETS):
	@./dev $@
