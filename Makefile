# certrotate: replaces the certificate chain of a PostgreSQL environment without downtime.
#
#   make            builds build/certrotate
#   make test       installs what is missing, then runs every test
#   make demo       installs what is missing, then rotates a real environment under load
#   make drivers    installs a JDK, Go and drivers, and logs in with delivered files (700 MB, a minute)
#   make torture    kills it at every point of every phase (an hour on two cores; SAMPLE=180: a sample)
#   make bench      measures it beside its peers, as root (ROWS="edit plan", RUNS=, QUICK=1; half an hour)
#   make bench-deps     installs the peers; make bench-readme puts the figures into the README
#   make races      two operators who type the same command, 50 times (COUNT=, SEED=)
#   make faults     each own allocation and system call fails once (SAMPLE= seconds, ONLY=)
#   make valgrind   a whole rotation, forward and back, under memcheck (some minutes)
#   make analyze    gcc's, cppcheck's and clang's analyzers at full depth (PARTS=, FILES=)
#   make cover      which lines the tests reach, by room (PARTS=unit, PARTS=report)
#   make fuzz       each parser against random input, for a minute (SECONDS=, FUZZERS=); fuzz-merge
#   make lint asan differential install uninstall dist clean

VERSION = 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man
datadir = $(DESTDIR)$(PREFIX)/share/certrotate
docdir = $(DESTDIR)$(PREFIX)/share/doc/certrotate
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd/system
completionsdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wwrite-strings -Wswitch-enum
ifdef CI
WARNINGS += -Werror
endif
LIBRARIES = libssl libcrypto yaml-0.1 libgit2 jansson
# Opened when they are first needed (lib/base/lazy.h): their headers alone.
LAZY_LIBRARIES = libpq libcurl
# Asked once, when a recipe first needs it: "make deps" must work before pkg-config is there.
LIBRARY_CFLAGS = $(eval LIBRARY_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES) $(LAZY_LIBRARIES)))$(LIBRARY_CFLAGS)
LIBRARY_LIBS = $(eval LIBRARY_LIBS := $(shell pkg-config --libs $(LIBRARIES)) -pthread)$(LIBRARY_LIBS)
PQ_LIBS = $(eval PQ_LIBS := $(shell pkg-config --libs libpq))$(PQ_LIBS)
CHECK_LIBS = $(eval CHECK_LIBS := $(shell pkg-config --libs check))$(CHECK_LIBS)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DCERTROTATE_VERSION='"$(VERSION)"' -Ilib -I. \
	-fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -pthread $(WARNINGS) $(CFLAGS)
# make V=1 shows whole commands.
Q = $(if $(V),,@)
SAY = $(if $(V),@:,@printf '  %-4s %s\n')
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)

ROOMS = base secret pki vault inventory git proc net safety outside
LIB_SRC = $(sort $(wildcard $(ROOMS:%=lib/%/*.c) state/*.c))
CMD_SRC = $(sort $(wildcard cmd/*.c))
SUPPORT_SRC = $(sort $(wildcard tests/support/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
CMD_OBJ = $(CMD_SRC:%.c=$(BUILD)/obj/%.o)
CMD_PARTS = $(filter-out %/cmd/main.o,$(CMD_OBJ))
# Makes the certificates that a program would never issue.
FORGE_OBJ = $(BUILD)/obj/tests/differential/forge.o
SUPPORT_OBJ = $(SUPPORT_SRC:%.c=$(BUILD)/obj/%.o)
# One check program for each room that has a folder below tests/.
SUITES = $(filter $(ROOMS) state cmd, $(notdir $(patsubst %/,%,$(wildcard tests/*/))))
SUITE_BINS = $(SUITES:%=$(BUILD)/tests/%)
# Each parser against random input; the kept inputs of all of them are run again by every test.
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
REPLAY = $(BUILD)/tests/fuzz

all: $(BUILD)/certrotate

$(BUILD)/certrotate: $(CMD_OBJ) $(BUILD)/libcertrotate.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS)

$(BUILD)/libcertrotate.a: $(LIB_OBJ)
	$(SAY) AR $@
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) $(OWN_CFLAGS) $(LIBRARY_CFLAGS) -MMD -MP -c -o $@ $<

define SUITE_RULE
$(BUILD)/tests/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/$(1)/*.c))) \
		$(if $(filter cmd,$(1)),$(CMD_PARTS)) $(if $(filter safety,$(1)),$(FORGE_OBJ)) \
		$(SUPPORT_OBJ) $(BUILD)/libcertrotate.a
	@mkdir -p $$(@D)
	$$(SAY) LINK $$@
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $$(LIBRARY_LIBS) $(if $(filter differential,$(1)),$$(PQ_LIBS))
endef
$(foreach suite,$(SUITES) differential,$(eval $(call SUITE_RULE,$(suite))))

# One room's suite alone: make unit-pki
unit-%: $(BUILD)/tests/%
	$<

# ---- what has to be installed

deps:
	tools/deps

# ---- tests

# All that a person or CI runs: the integration tests with real servers first, so that check's
# summary lines close the output.
test: deps
	$(MAKE) all $(SUITE_BINS) $(REPLAY) $(BUILD)/tests/differential $(BUILD)/tests/search $(BUILD)/tests/forges
	tests/run $(BUILD) $(SUITES) fuzz

# What applications are given, used by the drivers that they have: too large for every test run.
drivers: deps
	tools/deps openjdk-17-jdk-headless libpostgresql-jdbc-java golang-go golang-github-lib-pq-dev \
		golang-github-jackc-pgx-v4-dev odbc-postgresql unixodbc
	$(MAKE) all
	DRIVERS=all tests/integration/drivers.sh $(BUILD)

# The unit suites alone, without looking for packages.
unit: $(SUITE_BINS)
	tests/run --unit $(BUILD) $(SUITES)

asan: deps
	$(MAKE) BUILD=$(BUILD)/asan CFLAGS="$(SANITIZE)" unit-all
# Each test is a fork of its suite: what was freed is kept for a while, but not 256 MB of it.
unit-all: $(SUITE_BINS) $(REPLAY)
	ASAN_OPTIONS=$${ASAN_OPTIONS:-quarantine_size_mb=32} tests/run --unit $(BUILD) $(SUITES) fuzz

SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

# The proof against a real PostgreSQL with many random chains: make differential CASES=1000 SEED=7
CASES ?= 1000
SEED ?=

differential: deps
	$(MAKE) $(BUILD)/tests/differential
	$(BUILD)/tests/differential --cases $(CASES) $(if $(SEED),--seed $(SEED))

# Each command of a rotation under memcheck; a sample of it is part of "make test".
valgrind:
	tools/deps
	$(MAKE) all
	tests/valgrind/rotation $(BUILD)

# One call of a forge, for tests/integration/forges.sh.
$(BUILD)/tests/forges: $(BUILD)/obj/tests/forges/main.o $(BUILD)/libcertrotate.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS)

# Looks for keys in what was written: tests/integration/secrets.sh.
$(BUILD)/tests/search: $(BUILD)/obj/tests/secrets/search.o
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# Looks at the program's own system calls, kills it at one or makes one fail.
$(BUILD)/tests/trace: $(BUILD)/obj/tests/torture/trace.o $(BUILD)/obj/tests/torture/calls.o
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# Two clones of one remote that run the same command at about the same time.
COUNT ?= 50

races: deps
	$(MAKE) all
	/usr/bin/python3 tests/races/races.py $(BUILD) $(COUNT) $(SEED)

# Each own allocation and system call fails once, at each place: make faults, make faults SAMPLE=60,
# make faults ONLY=alloc:trust:1234, make faults ONLY=alloc SKIP=3000.
faults: deps
	$(MAKE) all $(BUILD)/tests/trace
	$(MAKE) BUILD=$(BUILD)/asan CFLAGS="$(SANITIZE)" $(BUILD)/asan/faults/certrotate $(BUILD)/asan/faults/rooms
	$(if $(ONLY),,$(BUILD)/asan/faults/rooms tests/data/chainsmith-python)
	tests/faults/faults.py --build $(BUILD) --alloc $(BUILD)/asan/faults/certrotate $(if $(SAMPLE),--sample $(SAMPLE)) \
		$(if $(SEED),--seed $(SEED)) $(if $(SKIP),--skip $(SKIP)) $(if $(ONLY),--only $(ONLY))

# The program in which one allocation fails: everything that asks for memory asks tests/faults/alloc.c.
ALLOC_WRAP = $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray strdup strndup vasprintf \
	__vasprintf_chk opendir fdopendir mmap regcomp pthread_create)
comma = ,

$(BUILD)/faults/certrotate: $(CMD_OBJ) $(BUILD)/obj/tests/faults/alloc.o $(BUILD)/libcertrotate.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALLOC_WRAP) -o $@ $^ $(LIBRARY_LIBS)

$(BUILD)/faults/rooms: $(BUILD)/obj/tests/faults/rooms.o $(BUILD)/obj/tests/faults/alloc.o $(BUILD)/libcertrotate.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALLOC_WRAP) -o $@ $^ $(LIBRARY_LIBS)

# Kills the program before and after each of its calls that change anything, and looks whether the
# next one ends as if nothing had happened. SAMPLE=180: for about so many seconds; ONLY=trust:36:after:
# that point alone; CONTROLS=2: so many of the programs that the check of the order has to find out.
torture: deps
	$(MAKE) all $(BUILD)/tests/trace
	tests/torture/torture.py $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE)) \
		$(if $(SEED),--seed $(SEED)) $(if $(CONTROLS),--controls $(CONTROLS)) $(BUILD)

demo: deps
	$(MAKE) all $(BUILD)/demo-load
	tests/demo/run $(BUILD)

$(BUILD)/demo-load: tests/demo/load.c
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LIBRARY_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(PQ_LIBS) $(LIBRARY_LIBS)

# Measured beside what people would use instead; see bench/README.md. ROWS="edit plan": those alone; RUNS=3; QUICK=1:
# small sizes, to see that everything runs. Judges nothing by time.
ROWS ?=
RUNS ?=
QUICK ?=
FIGURES = $(BUILD)/bench/figures$(if $(QUICK),-quick).json

bench: deps
	$(MAKE) bench-programs
	bench/bench --build $(BUILD) $(ROWS:%=--only %) $(if $(RUNS),--runs $(RUNS)) $(if $(QUICK),--quick) --json $(FIGURES)

# The peers, where Debian has them.
bench-deps:
	tools/deps golang-cfssl easy-rsa python3-ruamel.yaml python3-yaml ansible-core iproute2

# The README's table, from what "make bench" last measured.
bench-readme:
	bench/bench --readme README.md --json $(BUILD)/bench/figures.json

bench-programs: $(BUILD)/certrotate $(patsubst %,$(BUILD)/bench/%,keys chain vault edit leaves proof commit timed responder \
	delay no-handshakes)

$(patsubst %,$(BUILD)/bench/%,keys chain vault edit leaves proof commit): $(BUILD)/bench/%: $(BUILD)/obj/bench/%.o \
		$(BUILD)/obj/bench/drive.o $(BUILD)/libcertrotate.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS)

$(patsubst %,$(BUILD)/bench/%,timed responder delay): $(BUILD)/bench/%: $(BUILD)/obj/bench/%.o
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS)

# certrotate but for the handshakes of its proof.
$(BUILD)/bench/no-handshakes: $(CMD_OBJ) $(BUILD)/obj/bench/no_handshakes.o $(BUILD)/libcertrotate.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=proof_run -o $@ $^ $(LIBRARY_LIBS)

# SECONDS each, one after the other: make fuzz FUZZERS="fuzz_filter fuzz_certs" SECONDS=600. What
# they find new is kept in build/fuzz/corpus, what makes one fail in build/fuzz.
SECONDS ?= 60
FUZZ_FLAGS = -O1 -g -fno-sanitize-recover=all -fsanitize=address,undefined
FUZZ_LIMITS = -timeout=20 -rss_limit_mb=4096

fuzz fuzz-merge:
	tools/deps clang-14 libclang-rt-14-dev
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang-14 CFLAGS="$(FUZZ_FLAGS),fuzzer-no-link" $@-all
fuzz-all: $(FUZZERS:%=$(BUILD)/%)
	for fuzzer in $(FUZZERS); do \
		name=$${fuzzer#fuzz_}; words=tests/fuzz/$$name.dict; \
		mkdir -p $(BUILD)/corpus/$$name; \
		[ -f $$words ] && words=-dict=$$words || words=; \
		$(BUILD)/$$fuzzer -max_total_time=$(SECONDS) $(FUZZ_LIMITS) $$words -print_final_stats=1 \
			-print_funcs=0 -verbosity=0 -artifact_prefix=$(BUILD)/$$fuzzer- \
			$(BUILD)/corpus/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

# What build/fuzz/corpus covers beyond tests/fuzz/corpus, in as few inputs as do, goes there.
fuzz-merge-all: $(FUZZERS:%=$(BUILD)/%)
	for fuzzer in $(FUZZERS); do \
		name=$${fuzzer#fuzz_}; \
		mkdir -p $(BUILD)/corpus/$$name tests/fuzz/corpus/$$name; \
		$(BUILD)/$$fuzzer -merge=1 $(FUZZ_LIMITS) -max_len=$(MERGE_MAX) -artifact_prefix=$(BUILD)/$$fuzzer- \
			-verbosity=0 tests/fuzz/corpus/$$name $(BUILD)/corpus/$$name || exit 1; \
	done
MERGE_MAX ?= 8192

$(FUZZERS:%=$(BUILD)/%): $(BUILD)/%: tests/fuzz/%.c $(BUILD)/libcertrotate.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LIBRARY_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBRARY_LIBS)

# The fuzzers without libFuzzer, each under its own name in one program.
$(BUILD)/obj/tests/fuzz/%.o: OWN_CFLAGS = $(if $(filter fuzz_%,$(notdir $*)),-DLLVMFuzzerTestOneInput=$(notdir $*))
$(REPLAY): $(FUZZERS:%=$(BUILD)/obj/tests/fuzz/%.o) $(BUILD)/obj/tests/fuzz/replay.o $(BUILD)/libcertrotate.a
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -rdynamic -o $@ $^ $(LIBRARY_LIBS)

lint: deps
	tools/lint $(VERSION) $(filter-out -Werror,$(WARNINGS))

# Slower and deeper than lint.
analyze:
	tools/deps cppcheck
	tools/analyze $(BUILD) $(VERSION) $(filter-out -Werror,$(WARNINGS))

# A build of its own that counts lines; the report is build/cover/cover.html.
cover:
	tools/deps gcovr
	$(MAKE) BUILD=$(BUILD)/cover CFLAGS="-O0 -g --coverage -U_FORTIFY_SOURCE" cover-all
cover-all: all $(SUITE_BINS) $(BUILD)/tests/differential $(BUILD)/faults/certrotate $(BUILD)/faults/rooms
	tests/cover $(BUILD) $(SUITES)

# ---- installation

PLAYBOOKS = $(shell find playbooks -type f -not -name '*.pyc')

install: all
	install -d $(bindir) $(mandir)/man1 $(mandir)/man5 $(docdir) $(completionsdir)
	install -m 755 $(BUILD)/certrotate $(bindir)/certrotate
	install -m 644 man/certrotate.1 $(mandir)/man1/certrotate.1
	install -m 644 man/certrotate.yml.5 $(mandir)/man5/certrotate.yml.5
	install -m 644 README.md CHANGELOG.md LICENSE $(docdir)
	install -m 644 completion/certrotate.bash $(completionsdir)/certrotate
	install -d $(unitdir)
	for unit in systemd/*; do \
		sed 's|@bindir@|$(PREFIX)/bin|' $$unit >$(unitdir)/$${unit##*/} || exit 1; \
		chmod 644 $(unitdir)/$${unit##*/} || exit 1; \
	done
	for file in $(PLAYBOOKS); do install -D -m 644 $$file $(datadir)/$$file || exit 1; done

uninstall:
	rm -f $(bindir)/certrotate $(mandir)/man1/certrotate.1 $(mandir)/man5/certrotate.yml.5
	rm -f $(completionsdir)/certrotate
	rm -f $(patsubst systemd/%,$(unitdir)/%,$(wildcard systemd/*))
	rm -rf $(datadir) $(docdir)

# What git has at HEAD, so that a release holds nothing by accident.
dist:
	@mkdir -p dist
	git archive --prefix=certrotate-$(VERSION)/ -o dist/certrotate-$(VERSION).tar.gz HEAD

clean:
	rm -rf $(BUILD) dist

.PHONY: all deps valgrind test unit unit-all asan drivers differential torture races faults fuzz fuzz-all fuzz-merge fuzz-merge-all demo bench bench-deps bench-readme bench-programs lint analyze cover cover-all install uninstall dist clean
.DELETE_ON_ERROR:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
