# Crank's build. `make` builds bin/ and dist/worker/, `make demo` shows the main job, `make test` runs the tests; `make help`
# lists the rest. The first run installs the npm packages that package-lock.json pins, Bun among them.

PREFIX  ?= /usr/local
DESTDIR ?=

CFLAGS  ?= -O2
LDFLAGS ?=
# What the keeper needs whatever CFLAGS says: it is one static program, so that it starts anywhere and weighs little.
VERSION      := $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' package.json)
KEEPER_FLAGS := -std=c11 -D_GNU_SOURCE -Ikeeper -DCRANK_VERSION='"$(VERSION)"'
WARNINGS     := -Wall -Wextra -Wconversion -Werror
SANITIZERS   := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1

# Every command is a link to the one program, which looks at the name it was called by.
OWN      := crank crankctl crankx
# The names of the programs that crank stands in for.
COMPAT   := socketmaster einhorn einhornsh einhyrningsins einhyrningsinsctl
COMMANDS := $(OWN) $(COMPAT)

ARCH    := $(patsubst arm64,aarch64,$(patsubst x86_64,x64,$(shell uname -m)))
BUN     := node_modules/@oven/bun-linux-$(ARCH)/bin/bun

PACKAGES := node_modules/.crank-installed
COMPILER := build/compiler-works

KEEPER_SOURCES := $(wildcard keeper/*/*.c)
KEEPER_OBJECTS := $(KEEPER_SOURCES:keeper/%.c=build/keeper/%.o)
STRICT_OBJECTS := $(KEEPER_SOURCES:keeper/%.c=build/strict/%.o)
# As the keeper is where the kernel is older: the files that know of it, and the rest of the keeper.
OLDER_SOURCES  := $(shell grep -l OLDER_KERNEL $(KEEPER_SOURCES))
OLDER_OBJECTS  := $(OLDER_SOURCES:keeper/%.c=build/older/%.o)
OLDER_LINKED   := $(OLDER_OBJECTS) $(filter-out $(OLDER_SOURCES:keeper/%.c=build/keeper/%.o),$(KEEPER_OBJECTS))
ASAN_OBJECTS   := $(KEEPER_SOURCES:keeper/%.c=build/sanitized/%.o)
TYPESCRIPT     := $(shell find src -name '*.ts') package.json

# bin/runtime is the name by which keepers of versions that ran on Bun start supervisors and commands.
LINKS    := $(filter-out bin/crank,$(COMMANDS:%=bin/%)) bin/runtime
MANUALS  := $(wildcard man/*.1)
OVERVIEW := man/crank.7

# A recipe's lines are not shown; V=1 shows them. A target whose recipe fails is not left half written.
$(if $(V),,.SILENT:)
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: all
all: bin/crank $(LINKS) dist/worker/worker.js

.PHONY: help
help:
	echo 'make            build bin/ and dist/worker/'
	echo 'make demo       five deploys under 500 connections; leaves a picture in build/'
	echo 'make demo-handover  1 GiB there and back on one connection, through ten deploys'
	echo 'make test       run every test, or those whose paths hold a word of ONLY="..."'
	echo 'make test-fresh run make test in a new Debian, as root with debootstrap'
	echo 'make test-apps  deploy the programs of docs/how-to/recipes/ under load, those that are installed'
	echo 'make node-apps  install Express and Fastify below build/; make test-apps does it'
	echo 'make chaos      random faults under load: SEED=N SECONDS=S; make test does it for 60 s'
	echo 'make deno       install Deno below build/; make test does it when it is wanted'
	echo 'make engine     build what only the tests of the JavaScript engine need; make test does it too'
	echo 'make cross MACHINE=aarch64  the program for another machine, below build/cross/'
	echo 'make check      types, lint, format, C warnings, import directions, lock file, licenses, generated docs'
	echo 'make format     put style right: biome, and clang-format where it is installed'
	echo 'make docs       write the reference of the control protocol, and the flags of run in crankctl(1)'
	echo 'make coverage   lines that the tests run, TypeScript and C: a table, and build/coverage/lcov.info'
	echo 'make sanitize   the tests of the keeper under the address and undefined-behaviour sanitizers'
	echo 'make fuzz       all fuzzers, SECONDS=S altogether (60)'
	echo 'make compile_commands.json  the compilation database, for editors and clangd'
	echo 'make bench      measure'
	echo 'make install    into PREFIX=$(PREFIX), below DESTDIR; make uninstall takes it out again'
	echo 'make install-compat   the commands of socketmaster, einhorn and einhyrningsins beside it'
	echo 'make install-completions  completion of bash, zsh and fish, into PREFIX/share'
	echo 'make install-systemd  the unit crank@.service, into UNITS=$(UNITS)'
	echo 'make release VERSION=1.2.3  set the version, check, build the packages, commit and tag'
	echo 'make packages   .deb, .rpm, tarball, npm packages and an OCI image layout, into build/packages'
	echo 'make clean      remove what was built (node_modules stays; make distclean removes it too)'

# Packages and compiler ------------------------------------------------------------------------------------------------

# Without -j one of these goals uses all processors: the first build takes half the time. Several goals may have an order, as
# those of `make clean all` have. The compiler is looked for first, so that one missing program is one error.
PARALLEL := all bin/crank test demo bench
ifeq ($(MAKELEVEL)$(filter-out $(PARALLEL),$(or $(MAKECMDGOALS),all))$(word 2,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
$(PACKAGES): | $(COMPILER)
endif

$(PACKAGES): package.json package-lock.json tools/install-packages.sh
	sh tools/install-packages.sh $(BUN)
	touch $@

# Bun is part of the packages; taking it away by hand brings it back.
$(BUN): $(PACKAGES)
	test -x $@ || { rm -f $(PACKAGES); $(MAKE) --no-print-directory $(PACKAGES); }

$(COMPILER): tools/check-compiler.sh
	mkdir -p $(@D)
	CC='$(CC)' sh tools/check-compiler.sh
	touch $@

# Rebuilds what is C when the compiler or its flags are not those of last time: the files change only if they do.
build/compiler-flags: FLAGS = $(CC) $(KEEPER_FLAGS) $(CFLAGS) $(LDFLAGS)
build/module-flags: FLAGS = $(CC) $(ENGINE_FLAGS)
build/compiler-flags build/module-flags: always
	mkdir -p $(@D)
	echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
.PHONY: always
always:

# The program ----------------------------------------------------------------------------------------------------------

include engine/engine.mk
include engine/cross.mk

# The keeper's objects come first, so that its pages are its own. The file appears whole: a running crank may be about to
# open it.
bin/crank: $(KEEPER_OBJECTS) $(ENGINE_LINKED)
	mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -static -no-pie -pthread -s -o $@.new $^ -lm
	mv -f $@.new $@
	for link in $(LINKS); do ln -sfn crank $$link || exit 1; done

# The same with its symbols, which only tests want.
build/crank-symbols: bin/crank
	$(CC) $(CFLAGS) $(LDFLAGS) -static -no-pie -pthread -o $@ $(KEEPER_OBJECTS) $(ENGINE_LINKED) -lm

# Written from the protocol's table. It is checked in, so that the C can be read and compiled without it.
keeper/protocol/protocol.h: src/keeper/protocol.ts tools/write-keeper-protocol.ts | $(BUN)
	$(BUN) tools/write-keeper-protocol.ts
	touch $@
$(KEEPER_OBJECTS) $(STRICT_OBJECTS) $(ASAN_OBJECTS) $(OLDER_OBJECTS): | keeper/protocol/protocol.h

build/keeper/%.o: keeper/%.c build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(KEEPER_FLAGS) $(CFLAGS) -pthread -MMD -MP -c -o $@ $<

# For the tests of the keeper: supervisors do what the test says.
build/crank-stand-in: $(KEEPER_OBJECTS) test/keeper/harness/stand-in.c engine/start.h
	$(CC) $(KEEPER_FLAGS) $(CFLAGS) $(LDFLAGS) -static -no-pie -pthread -o $@ $(filter-out %.h,$^)
build/crank-sanitized: $(ASAN_OBJECTS) test/keeper/harness/stand-in.c engine/start.h
	$(CC) $(KEEPER_FLAGS) $(SANITIZERS) $(LDFLAGS) -pthread -o $@ $(filter-out %.h,$^)

build/sanitized/%.o: keeper/%.c build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(KEEPER_FLAGS) $(SANITIZERS) -pthread -MMD -MP -c -o $@ $<

# For the tests: as where the kernel lists no children of a process, and cannot kill a control group (before Linux 5.14).
build/older/bin/crank: $(OLDER_LINKED) $(ENGINE_LINKED)
	mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -static -no-pie -pthread -s -o $@ $^ -lm

build/crank-older-stand-in: $(OLDER_LINKED) test/keeper/harness/stand-in.c engine/start.h
	$(CC) $(KEEPER_FLAGS) $(CFLAGS) $(LDFLAGS) -static -no-pie -pthread -o $@ $(filter-out %.h,$^)

build/older/%.o: keeper/%.c build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(KEEPER_FLAGS) -DOLDER_KERNEL $(CFLAGS) -pthread -MMD -MP -c -o $@ $<

# For the tests of the output: the files of it alone, as users get them and under two sanitizers.
OUTPUT_FILES := $(wildcard keeper/output/*.[ch]) $(foreach name,protocol/wire app/memory app/pages app/priority,$(wildcard keeper/$(name).[ch]))
OUTPUT_HARNESSES := $(foreach name,plain address thread,build/harness/output-$(name))
build/harness/output-plain: SPECIAL := -O2 -static
build/harness/output-address: SPECIAL := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
build/harness/output-thread: SPECIAL := -O1 -g -fsanitize=thread
$(OUTPUT_HARNESSES): test/keeper/output/harness.c $(OUTPUT_FILES) build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(KEEPER_FLAGS) $(WARNINGS) $(SPECIAL) -pthread -o $@.$$$$ $(filter %.c,$^) && mv $@.$$$$ $@

# Compiled only to be warned about.
build/strict/%.o: keeper/%.c build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(KEEPER_FLAGS) -O2 $(WARNINGS) -MMD -MP -c -o $@ $<

-include $(KEEPER_OBJECTS:.o=.d) $(STRICT_OBJECTS:.o=.d) $(ASAN_OBJECTS:.o=.d) $(OLDER_OBJECTS:.o=.d)

# One that was taken away by hand comes back.
$(LINKS): | bin/crank
	ln -sfn crank $@

# The library for workers: plain modules beside their types, as an application imports them.
dist/worker/worker.js: $(wildcard src/worker/* src/worker/register/*) tsconfig.json Makefile $(PACKAGES)
	rm -rf $(@D).new && node_modules/.bin/tsc -p src/worker --outDir $(@D).new
	rm -rf $(@D) && mv $(@D).new $(@D)

# What people run ------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: all
	$(BUN) examples/demo/main.ts

.PHONY: demo-handover
demo-handover: all
	$(BUN) examples/hand-over/demo.ts

.PHONY: test
test: all engine build/crank-stand-in build/crank-older-stand-in build/older/bin/crank $(OUTPUT_HARNESSES)
	$(BUN) test/run.ts $(ONLY)

# Frameworks for the tests of docs/how-to/node.md alone.
.PHONY: node-apps
node-apps: build/node-apps/package.json
build/node-apps/package.json: test/node-apps/package.json test/node-apps/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || { rm $@; exit 1; }

# In a new Debian, with nothing installed but what the README names.
.PHONY: test-fresh
test-fresh:
	sh tools/test-fresh.sh $(if $(ONLY),ONLY='$(ONLY)')

# nginx, HAProxy, Gunicorn and others, each by the commands of its page in docs/how-to/recipes/.
.PHONY: test-apps
test-apps: all node-apps
	$(BUN) test/run.ts test/recipes/

# Only the tests of the library want Deno, and it weighs as much as Bun: so it is not among the packages.
.PHONY: deno
deno: build/deno/package.json
build/deno/package.json: test/deno/package.json test/deno/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || { rm $@; exit 1; }

# Random deploys, kills, stops and full disks under load; a failure prints its seed.
.PHONY: chaos
chaos: all
	$(BUN) test/chaos/main.ts "$(SEED)" "$(SECONDS)" "$(WITHOUT)"

.PHONY: bench
bench: all
	$(BUN) bench/run.ts

.PHONY: check check-types check-style check-warnings check-rooms check-lock check-licenses check-docs
check: check-types check-style check-warnings check-engine check-rooms check-lock check-licenses check-docs
	echo 'checked: types, lint and format, C warnings, import directions, lock file, licenses, generated docs'
check-types: $(PACKAGES) dist/worker/worker.js
	node_modules/.bin/tsc --noEmit -p .
check-style: $(PACKAGES)
	node_modules/.bin/biome check --error-on-warnings --log-level=warn
check-warnings: $(STRICT_OBJECTS)
check-rooms: | $(BUN)
	$(BUN) tools/check-rooms.ts
	$(BUN) tools/check-keeper-rooms.ts
	$(BUN) tools/write-keeper-protocol.ts --check
	$(BUN) tools/check-files.ts
check-lock: | $(BUN)
	$(BUN) tools/check-lock.ts

include tools/develop.mk
include packaging/packages.mk

# Installing -----------------------------------------------------------------------------------------------------------
# PREFIX/lib/crank holds the program, bin/crank, with its licences, and the package crank/worker; PREFIX/bin/NAME are links
# to the program.

LIBRARY := $(DESTDIR)$(PREFIX)/lib/crank
BINARY  := $(DESTDIR)$(PREFIX)/bin
SHARED  := $(DESTDIR)$(PREFIX)/share
MANUAL  := $(SHARED)/man/man1
MANUAL5 := $(SHARED)/man/man5
MANUAL7 := $(SHARED)/man/man7
BASH_PLACE := bash-completion/completions
ZSH_PLACE  := zsh/site-functions
FISH_PLACE := fish/vendor_completions.d
# A second name of the same file, and no symbolic link: when such a version is installed over this one, bin/crank is the first to
# be replaced, and would execute itself.
INSTALL_RUNTIME := ln -f $(LIBRARY)/bin/crank $(LIBRARY)/bin/runtime.new && mv -fT $(LIBRARY)/bin/runtime.new $(LIBRARY)/bin/runtime
MODULES := $(wildcard src/worker/*.ts src/worker/register/*.ts)
# What earlier versions installed.
FORMER  := bin/trim.node $(COMMANDS:%=dist/%.mjs)
UNITS   ?= $(PREFIX)/lib/systemd/system

build/installed-package.json: package.json tools/installed-manifest.ts | $(BUN)
	mkdir -p $(@D)
	$(BUN) tools/installed-manifest.ts > $@

.PHONY: install
install: all build/installed-package.json
	install -d -m 0755 $(LIBRARY) $(LIBRARY)/bin $(LIBRARY)/dist $(LIBRARY)/dist/worker/register $(LIBRARY)/LICENSES $(BINARY) $(MANUAL) $(MANUAL5) $(MANUAL7)
	sh tools/replace.sh 0755 bin/crank $(LIBRARY)/bin/crank
	$(INSTALL_RUNTIME)
	for file in dist/worker/*.?s dist/worker/register/*.?s LICENSES/*; do sh tools/replace.sh 0644 $$file $(LIBRARY)/$$file || exit 1; done
	for name in $(OWN); do ln -sfn ../lib/crank/bin/crank $(BINARY)/$$name || exit 1; done
	for name in $(OWN); do sh tools/replace.sh 0644 man/$$name.1 $(MANUAL)/$$name.1 || exit 1; done
	sh tools/replace.sh 0644 man/crank.toml.5 $(MANUAL5)/crank.toml.5
	sh tools/replace.sh 0644 $(OVERVIEW) $(MANUAL7)/crank.7
	sh tools/replace.sh 0644 LICENSE $(LIBRARY)/LICENSE
	sh tools/replace.sh 0644 build/installed-package.json $(LIBRARY)/package.json
	rm -f $(FORMER:%=$(LIBRARY)/%)

# Only when it is asked for: crank under the names of socketmaster, einhorn and einhyrningsins.
.PHONY: install-compat
install-compat:
	install -d -m 0755 $(BINARY) $(MANUAL)
	for name in $(COMPAT); do ln -sfn ../lib/crank/bin/crank $(BINARY)/$$name || exit 1; done
	for name in $(COMPAT); do sh tools/replace.sh 0644 man/$$name.1 $(MANUAL)/$$name.1 || exit 1; done

# Only when it is asked for: what makes shells complete commands, flags and services. Shells look for the name of the command.
.PHONY: install-completions
install-completions: all
	install -d -m 0755 $(SHARED)/$(BASH_PLACE) $(SHARED)/$(ZSH_PLACE) $(SHARED)/$(FISH_PLACE)
	for shell in bash zsh fish; do bin/crankctl completion $$shell > build/completion.$$shell || exit 1; done
	sh tools/replace.sh 0644 build/completion.bash $(SHARED)/$(BASH_PLACE)/crankctl
	sh tools/replace.sh 0644 build/completion.zsh $(SHARED)/$(ZSH_PLACE)/_crankctl
	sh tools/replace.sh 0644 build/completion.fish $(SHARED)/$(FISH_PLACE)/crankctl.fish
	for name in crank crankx; do ln -sfn crankctl $(SHARED)/$(BASH_PLACE)/$$name && ln -sfn crankctl.fish $(SHARED)/$(FISH_PLACE)/$$name.fish || exit 1; done

# Only when it is asked for: a service crank@NAME for each file /etc/crank/NAME (contrib/systemd/README.md).
.PHONY: install-systemd
install-systemd:
	install -d -m 0755 $(DESTDIR)$(UNITS)
	mkdir -p build
	sed 's,/usr/local/bin/,$(PREFIX)/bin/,' contrib/systemd/crank@.service > build/crank@.service
	sh tools/replace.sh 0644 build/crank@.service $(DESTDIR)$(UNITS)/crank@.service

# For packages: replaces the program of running services when a new version was installed.
.PHONY: install-upgrader
install-upgrader:
	install -d -m 0755 $(LIBRARY)
	sh tools/replace.sh 0755 packaging/upgrade-services $(LIBRARY)/upgrade-services

.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(UNITS)/crank@.service
	rm -f $(OWN:%=$(SHARED)/$(BASH_PLACE)/%) $(SHARED)/$(ZSH_PLACE)/_crankctl $(OWN:%=$(SHARED)/$(FISH_PLACE)/%.fish)
	rm -f $(COMMANDS:%=$(BINARY)/%) $(MANUALS:man/%=$(MANUAL)/%) $(MANUAL5)/crank.toml.5 $(OVERVIEW:man/%=$(MANUAL7)/%)
	rm -f $(LIBRARY)/upgrade-services $(LIBRARY)/bin/crank $(LIBRARY)/bin/runtime $(LIBRARY)/LICENSE $(LIBRARY)/package.json $(FORMER:%=$(LIBRARY)/%)
	rm -f $(patsubst %,$(LIBRARY)/%,$(wildcard LICENSES/*))
	rm -f $(MODULES:src/worker/%.ts=$(LIBRARY)/dist/worker/%.js) $(MODULES:src/worker/%.ts=$(LIBRARY)/dist/worker/%.d.ts)
	for directory in $(LIBRARY)/bin $(LIBRARY)/LICENSES $(LIBRARY)/dist/worker/register $(LIBRARY)/dist/worker $(LIBRARY)/dist $(LIBRARY); do test ! -d $$directory || rmdir $$directory || exit 1; done

.PHONY: clean distclean
clean:
	rm -rf bin dist build
distclean: clean
	rm -rf node_modules compile_commands.json
