#include "io/subprocess.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

ProgramLine shell(const std::string& script) {
  return {"sh", "-c", script};
}

/// Which of these lines `env` prints, in a program that we start.
std::string environment() {
  return "\n" + run({{"env"}}).said;
}

TEST(Subprocess, what_programs_say_is_apart_from_what_they_complain_of) {
  const Outcome outcome = run({shell("echo 1; echo one >&2"), shell("cat; echo 2; echo two >&2")});
  EXPECT_TRUE(outcome.succeeded);
  EXPECT_EQ(outcome.said, "1\n2\n");
  EXPECT_NE(outcome.complaints.find("one\n"), std::string::npos);
  EXPECT_NE(outcome.complaints.find("two\n"), std::string::npos);
}

TEST(Subprocess, neither_of_both_can_be_too_much) {
  const std::string much = "head -c 300000 /dev/zero | tr '\\0' ";
  const Outcome outcome = run({shell(much + "e >&2; " + much + "o; " + much + "e >&2")});
  EXPECT_TRUE(outcome.succeeded);
  EXPECT_EQ(outcome.said, std::string(300000, 'o'));
  EXPECT_EQ(outcome.complaints, std::string(600000, 'e'));
}

TEST(Subprocess, the_reason_is_the_complaint_or_else_what_was_said) {
  EXPECT_EQ(run({shell("echo a digest; echo >&2; echo broken >&2; echo badly >&2; exit 1")}).reason(), "broken; badly");
  EXPECT_EQ(run({shell("echo broken >&2; echo badly >&2; exit 1")}).reason(1), "broken");
  EXPECT_EQ(run({shell("echo no network; exit 1")}).reason(), "no network");
  EXPECT_EQ(run({shell("exit 1")}).reason(), "failed without a word");
  const Outcome absent = run({{"/no/such/program"}});
  EXPECT_FALSE(absent.started);
  EXPECT_EQ(absent.reason(), "/no/such/program: No such file or directory");
}

TEST(Subprocess, settings_that_change_what_programs_do_do_not_reach_them) {
  const std::vector<const char*> dropped = {"GZIP",          "TAR_OPTIONS",   "POSIXLY_CORRECT", "LANGUAGE",
                                            "PYTHONSTARTUP", "PIP_TARGET",    "PIP_USER",        "BASH_ENV",
                                            "XZ_OPT",        "PYTHONINSPECT", "npm_config_json", "FFREPORT"};
  const std::vector<const char*> kept = {
      "HOME",          "http_proxy",      "HTTPS_PROXY",         "no_proxy",
      "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE",       "REQUESTS_CA_BUNDLE",
      "PYTHONPATH",    "LD_LIBRARY_PATH", "npm_config_registry", "npm_config_https-proxy",
      "TMPDIR"};
  for (const char* name : dropped) EXPECT_FALSE(is_passed_on(name)) << name;
  for (const char* name : kept) EXPECT_TRUE(is_passed_on(name)) << name;
}

TEST(Subprocess, programs_speak_english_whatever_the_user_speaks) {
  const char* const before = std::getenv("LC_ALL");
  const std::string saved = before != nullptr ? before : "";
  setenv("LC_ALL", "de_DE.UTF-8", 1);
  setenv("LC_MESSAGES", "de_DE.UTF-8", 1);
  setenv("FLEET_TEST_KEPT", "a=b", 1);
  const std::string variables = environment();
  unsetenv("LC_MESSAGES");
  unsetenv("FLEET_TEST_KEPT");
  before != nullptr ? setenv("LC_ALL", saved.c_str(), 1) : unsetenv("LC_ALL");
  EXPECT_NE(variables.find("\nLC_ALL=C\n"), std::string::npos) << variables;
  EXPECT_NE(variables.find("\nFLEET_TEST_KEPT=a=b\n"), std::string::npos) << variables;
  EXPECT_EQ(variables.find("de_DE"), std::string::npos) << variables;
}

TEST(ScratchDirectory, of_a_killed_process_goes_with_the_next_and_not_before) {
  const Scratch scratch;
  const fs::path parent = scratch.path() / "parent";
  fs::create_directories(parent);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const ScratchDirectory its(parent);
    if (write(ready[1], "x", 1) == 1) pause();
    _exit(0);
  }
  char told = '?';
  ASSERT_EQ(read(ready[0], &told, 1), 1);
  const auto count = [&] { return std::distance(fs::directory_iterator(parent), fs::directory_iterator()); };
  { const ScratchDirectory ours(parent); }
  EXPECT_EQ(count(), 1) << "that of the child, which is at work";
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(count(), 1);
  { const ScratchDirectory ours(parent); }
  EXPECT_EQ(count(), 0);
}

TEST(ScratchDirectory, a_link_by_such_a_name_leads_nowhere) {
  const Scratch scratch;
  const fs::path parent = scratch.path() / "parent";
  const fs::path precious = scratch.path() / "precious";
  for (const fs::path& folder : {parent, precious}) fs::create_directories(folder);
  for (const char* name : {".lock", "file"}) std::ofstream(precious / name) << "precious";
  fs::create_directory_symlink(precious, parent / ".fleet-scratch-AbCdEf");
  fs::create_directories(parent / ".fleet-scratch-abcdef");
  fs::create_symlink(precious / "file", parent / ".fleet-scratch-abcdef/.lock");
  { const ScratchDirectory ours(parent); }
  EXPECT_TRUE(fs::exists(precious / "file"));
  EXPECT_TRUE(fs::is_symlink(parent / ".fleet-scratch-AbCdEf"));
  EXPECT_TRUE(fs::is_symlink(parent / ".fleet-scratch-abcdef/.lock"));
}

}  // namespace
}  // namespace fleet
