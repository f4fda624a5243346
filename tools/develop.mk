# Targets for developers: generated files, formatting, coverage, fuzzing and the sanitizers.

C_FILES := $(shell find keeper engine test/keeper -name '*.[ch]')

.PHONY: format
format: $(PACKAGES)
	node_modules/.bin/biome check --write --error-on-warnings --log-level=warn
	if command -v clang-format >/dev/null; then clang-format -i $(C_FILES); \
	  else echo 'format: clang-format is not installed, so the C files stay as they are. Debian: apt-get install clang-format'; fi

# The reference of the control protocol, from the schemas; from the table of flags, the entries of crankctl(1) for those of run,
# the keys of crank.toml(5), and the schema of configuration files. `make check` fails if one is out of date.
.PHONY: docs
docs: $(PACKAGES) | $(BUN)
	$(BUN) tools/control-reference/main.ts --write
	$(BUN) tools/manual-fields.ts --write
	$(BUN) tools/config-schema.ts --write
check-docs: $(PACKAGES) | $(BUN)
	$(BUN) tools/control-reference/main.ts --check
	$(BUN) tools/manual-fields.ts --check
	$(BUN) tools/config-schema.ts --check

# For editors and clangd: each C file with the flags of the build.
compile_commands.json: always | $(BUN)
	$(BUN) tools/compile-commands.ts $(CC) $(KEEPER_FLAGS) $(CFLAGS) $(WARNINGS) -pthread -- $(filter keeper/%.c test/keeper/%.c,$(C_FILES)) \
	  -- $(CC) $(ENGINE_FLAGS) $(CFLAGS) $(WARNINGS) -pthread -- $(filter engine/%.c,$(C_FILES)) > $@

.PHONY: sanitize
sanitize: all build/crank-sanitized build/crank-stand-in build/crank-older-stand-in build/older/bin/crank
	CRANK_KEEPER='$(CURDIR)/build/crank-sanitized' $(BUN) test/run.ts test/keeper/

# The keeper's fuzzers share SECONDS (default 60). Then the engine's host gets random values for about as long.
.PHONY: fuzz
fuzz: FUZZ_SECONDS := $(or $(SECONDS),60)
fuzz: all engine
	bash test/keeper/fuzz/fuzz.sh $(FUZZ_SECONDS)
	CRANK_FUZZ_TURNS=$$(($(FUZZ_SECONDS) * 5000)) $(BUN) test/run.ts test/engine/host-calls

# Coverage -------------------------------------------------------------------------------------------------------------
# TypeScript: the tests that load src/ into their own process. C: test/keeper/ against a keeper with gcov counters.

COVERAGE_OBJECTS := $(KEEPER_SOURCES:keeper/%.c=build/coverage/keeper/%.o)
$(COVERAGE_OBJECTS): | keeper/protocol/protocol.h

.PHONY: coverage
coverage: all build/crank-coverage build/crank-stand-in build/crank-older-stand-in build/older/bin/crank
	$(BUN) tools/coverage.ts $(COVERAGE_OBJECTS:.o=.gcno)

build/coverage/keeper/%.o: keeper/%.c build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(KEEPER_FLAGS) -O0 -g --coverage -pthread -MMD -MP -c -o $@ $<

build/crank-coverage: $(COVERAGE_OBJECTS) test/keeper/harness/stand-in.c tools/coverage-dump.c engine/start.h
	$(CC) $(KEEPER_FLAGS) $(LDFLAGS) --coverage -Wl,--wrap=epoll_wait,--wrap=_exit -pthread -o $@ \
	  $(COVERAGE_OBJECTS) -fno-profile-arcs -fno-test-coverage test/keeper/harness/stand-in.c tools/coverage-dump.c

-include $(COVERAGE_OBJECTS:.o=.d)
