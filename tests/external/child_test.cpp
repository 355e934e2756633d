#include "external/child.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/stopwatch.hpp"
#include "complaint.hpp"
#include "external/conversation.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

ChildOptions shell(const std::string& script) {
  return {.command = {"sh", "-c", script}};
}

/// Answers `answers` in turn, whatever is asked.
std::string answering(const std::vector<std::string>& answers) {
  std::string script = R"(read line <&3; echo '{"id":1,"protocol":1}' >&3;)";
  for (const std::string& answer : answers) script += "read line <&3; echo '" + answer + "' >&3;";
  return script + "read line <&3";
}

bool is_alive(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string number;
  std::string name;
  std::string state;
  file >> number >> name >> state;
  return file.good() && state != "Z";
}

/// Within some seconds.
bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return condition();
}

pid_t number_in(const std::filesystem::path& file) {
  pid_t number = 0;
  std::ifstream(file) >> number;
  return number;
}

TEST(SharedMemory, places_do_not_overlap_and_keep_their_values_as_it_grows) {
  SharedMemory memory;
  const std::size_t first = memory.take(100);
  std::ranges::fill(memory.at<char>(first, 100), 'a');
  const std::size_t large = memory.take(1 << 20);
  std::ranges::fill(memory.at<char>(large, 1 << 20), 'b');
  const std::size_t third = memory.take(1);
  EXPECT_EQ(third % SharedMemory::kAlignment, 0U);
  memory.at<char>(third, 1)[0] = 'c';
  EXPECT_EQ(std::ranges::count(memory.at<char>(first, 100), 'a'), 100);
  EXPECT_EQ(std::ranges::count(memory.at<char>(large, 1 << 20), 'b'), 1 << 20);
  memory.give_back(large);
  EXPECT_EQ(memory.take(1 << 20), large);
}

TEST(Child, gets_socket_and_memory_and_no_rank) {
  setenv("OMPI_COMM_WORLD_RANK", "3", 1);
  setenv("OMP_NUM_THREADS", "7", 1);
  Conversation talk({.command = {"sh", "-c", R"(read line <&3; echo '{"id":1,"protocol":1}' >&3;
    read line <&3; echo "{\"id\":2,\"text\":\"$FLEET_SOCKET $FLEET_MEMORY $FLEET_PROTOCOL $OMP_NUM_THREADS ${OMPI_COMM_WORLD_RANK:-none}\"}" >&3;
    read line <&3)"},
                     .threads = 2},
                    20.0);
  unsetenv("OMPI_COMM_WORLD_RANK");
  unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(talk.ask("anything").text("text"), "3 4 1 2 none");
}

TEST(Child, that_cannot_be_started_is_named) {
  const SharedMemory memory;
  EXPECT_EQ(complaint([&] {
              Child({.command = {"/no/such/program", "now"}}, memory);
            }),
            "cannot start /no/such/program now: No such file or directory");
}

TEST(Child, has_heard_of_the_end_when_its_owner_goes) {
  const Scratch scratch;
  const std::filesystem::path file = scratch.path() / "ended";
  { Conversation talk(shell(answering({}) + "; echo done > " + file.string()), 20.0); }
  EXPECT_EQ(Scratch::read(file), "done\n");
}

TEST(Child, that_does_not_end_is_killed_with_what_it_has_started) {
  const Scratch scratch;
  const std::filesystem::path file = scratch.path() / "pid";
  const Stopwatch watch;
  { Conversation talk(shell(answering({}) + "; sleep 1000 & echo $! > " + file.string() + "; sleep 1000"), 20.0); }
  EXPECT_LT(watch.seconds(), 20.0);
  const pid_t grandchild = number_in(file);
  ASSERT_GT(grandchild, 0);
  EXPECT_TRUE(comes_true([&] { return !is_alive(grandchild); }));
}

TEST(Child, does_not_outlive_a_killed_owner) {
  const Scratch scratch;
  const std::filesystem::path file = scratch.path() / "pid";
  const pid_t owner = fork();
  if (owner == 0) {
    const SharedMemory memory;
    const Child busy(shell("echo $$ > " + file.string() + "; while :; do sleep 0.05; done"), memory);
    pause();
    _exit(0);
  }
  ASSERT_TRUE(comes_true([&] { return number_in(file) > 0; }));
  const pid_t child = number_in(file);
  EXPECT_TRUE(is_alive(child));
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  EXPECT_TRUE(comes_true([&] { return !is_alive(child); }));
}

TEST(Conversation, neither_side_waits_for_the_other_however_much_is_said) {
  Conversation talk(shell(answering({R"({"id":2})"}) + "; true"), 20.0);
  const std::string much = "head -c 3000000 /dev/zero | tr '\\0' x; echo; ";
  Conversation loud(shell(R"(read line <&3; echo '{"id":1,"protocol":1}' >&3; read line <&3; )" + much + much +
                          R"(echo '{"id":2}' >&3; read line <&3)"),
                    20.0);
  const Json large = std::string(2'000'000, 'y');
  talk.ask("large", {{"text", large}});
  loud.ask("large", {{"text", large}});
}

TEST(Conversation, an_answer_that_is_refused_leaves_it_open) {
  Conversation talk(shell(answering({R"({"id":2,"error":"no such thing"})",
                                     R"({"id":3,"error":"too large","key":"width"})", R"({"id":4,"loss":2.5})"})),
                    20.0);
  EXPECT_NE(complaint([&] { talk.ask("first"); }).find("no such thing"), std::string::npos);
  try {
    talk.ask("second");
    FAIL();
  } catch (const SettingError& error) {
    EXPECT_EQ(error.key(), "width");
    EXPECT_EQ(std::string(error.what()), "too large");
  }
  EXPECT_EQ(talk.ask("third").number("loss"), 2.5);
}

TEST(Conversation, nonsense_ends_it) {
  const auto told = [](const std::string& answer) {
    Conversation talk(shell(answering({answer})), 20.0);
    std::string first = complaint([&] { talk.ask("train"); });
    EXPECT_FALSE(talk.is_open());
    EXPECT_NE(complaint([&] { talk.ask("train"); }).find("cannot be asked any more"), std::string::npos);
    return first;
  };
  EXPECT_NE(told("no JSON").find("was asked \"train\" and answered with what is no JSON: no JSON"), std::string::npos);
  EXPECT_NE(told(R"({"id":17})").find("what is no answer to request 2"), std::string::npos);
  EXPECT_NE(told("[1, 2]").find("what is no answer to request 2"), std::string::npos);
  // Lines that arrive together are read as lines that arrive apart.
  EXPECT_NE(told(R"({"id":2}\n{"id":3})").find("gave two answers; the second begins: {\"id\":3}"), std::string::npos);
  EXPECT_NE(told(R"(what?\n{"id":2})").find("answered with what is no JSON: what?"), std::string::npos);
}

TEST(Conversation, what_was_said_of_a_reported_mistake_is_not_said_again_of_the_next) {
  Conversation talk(shell(R"(read line <&3; echo '{"id":1,"protocol":1}' >&3; read line <&3; echo old >&2; )"
                          R"(echo '{"id":2,"error":"old"}' >&3; read line <&3; echo new >&2)"),
                    20.0);
  complaint([&] { talk.ask("first"); });
  const std::string why = complaint([&] { talk.ask("second"); });
  EXPECT_TRUE(why.ends_with("its last words: new")) << why;
}

TEST(Conversation, fields_that_are_missing_or_of_another_type_are_named) {
  const auto told = [](const std::string& answer, const auto& read) {
    Conversation talk(shell(answering({answer})), 20.0);
    const Answer got = talk.ask("open");
    return complaint([&] { read(got); });
  };
  const auto ends = [](const std::string& text, const std::string& end) {
    EXPECT_TRUE(text.ends_with("answered \"open\" with what is not right: " + end)) << text;
  };
  ends(told(R"({"id":2})", [](const Answer& a) { (void)a.number("loss"); }), "\"loss\" is missing");
  ends(told(R"({"id":2,"loss":"low"})", [](const Answer& a) { (void)a.number("loss"); }),
       "\"loss\" is no number but \"low\"");
  ends(told(R"({"id":2,"parts":0})", [](const Answer& a) { (void)a.whole("parts", 1, 9); }),
       "\"parts\" is 0, expected 1 to 9");
  ends(told(R"({"id":2,"scores":[[1,2],[3]]})", [](const Answer& a) { (void)a.rows("scores", 2); }),
       "\"scores\" holds array, expected a list of 2 numbers");
  ends(told(R"({"id":2,"metrics":["loss",1]})", [](const Answer& a) { (void)a.texts("metrics"); }),
       "\"metrics\" holds 1, which is no string");
}

TEST(Conversation, a_silent_program_is_ended_and_its_last_words_told) {
  const Stopwatch watch;
  Conversation talk(shell(R"(read line <&3; echo '{"id":1,"protocol":1}' >&3; echo busy >&2; sleep 1000)"), 20.0);
  Conversation slow(shell(R"(read line <&3; echo '{"id":1,"protocol":1}' >&3; echo busy >&2; sleep 1000)"), 0.5);
  const std::string why = complaint([&] { slow.ask("train"); });
  EXPECT_NE(why.find("gave no answer within 0.5 s"), std::string::npos) << why;
  EXPECT_NE(why.find("its last words: busy"), std::string::npos) << why;
  EXPECT_LT(watch.seconds(), 15.0);
}

}  // namespace
}  // namespace fleet
