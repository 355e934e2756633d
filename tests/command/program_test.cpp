// Laws of finding a command: the program's own and those of worlds alike, and what is answered where there is none.
#include "command/program.hpp"

#include <gtest/gtest.h>

#include <array>
#include <iostream>
#include <sstream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

/// What the last command of the world was given.
std::vector<std::string> given;

int note(const Call& call) {
  given = call.arguments;
  given.push_back(cat(call.worlds.size(), " worlds"));
  return 7;
}

po::options_description howling() {
  po::options_description options("Options");
  options.add_options()("loud", "so that all hear it");
  options.add_options()("times,n", integer(between(1, 9), 3), "how often");
  options.add_options()("pitch", number(above(0), 440.0), "in Hz");
  options.add_options()("at", one_of({"dusk", "night", "dawn"}, "night"), "when");
  options.add_options()("with", text({"pack"}), "whom");
  return options;
}

std::span<const Command> moon_commands() {
  static const std::array kCommands = {
      Command{.name = "howl",
              .summary = "at the moon",
              .usage = "WOLVES ...",
              .operand = {.name = "WOLF", .many = true},
              .options = howling,
              .run = note},
      Command{.name = "moon land",
              .summary = "on it",
              .usage = "[CRAFT]",
              .operand = {.name = "CRAFT", .optional = true},
              .run = note},
      Command{.name = "data glow",
              .summary = "what shines in a file",
              .usage = "FILE",
              .operand = {.name = "FILE"},
              .run = note},
      Command{.name = "moon fail",
              .summary = "throws",
              .usage = "",
              .run = [](const Call& /*call*/) -> int { throw Error("no air"); }},
  };
  return kCommands;
}

struct Answer {
  int code = 0;
  std::string out;
  std::string complaint;
};

/// The program with a world that brings commands along, and one that brings none.
Answer answer(std::vector<std::string> words) {
  static const std::array kWorlds = {WorldEntry{.name = "moon", .commands = moon_commands}, WorldEntry{.name = "sun"}};
  words.insert(words.begin(), "fleet");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::ostringstream out;
  std::ostringstream complaint;
  std::streambuf* const output = std::cout.rdbuf(out.rdbuf());
  std::streambuf* const errors = std::cerr.rdbuf(complaint.rdbuf());
  given.clear();
  const int code = run_program(static_cast<int>(words.size()), argv.data(), kWorlds);
  std::cout.rdbuf(output);
  std::cerr.rdbuf(errors);
  return {.code = code, .out = out.str(), .complaint = complaint.str()};
}

using Words = std::vector<std::string>;

TEST(Program, a_command_of_a_world_is_run_with_what_follows_its_name_and_all_worlds) {
  EXPECT_EQ(answer({"howl", "twice", "--loud"}).code, 7);
  EXPECT_EQ(given, (Words{"twice", "--loud", "2 worlds"}));
  EXPECT_EQ(answer({"moon", "land", "softly"}).code, 7);
  EXPECT_EQ(given, (Words{"softly", "2 worlds"}));
  EXPECT_EQ(answer({"data", "glow", "x.txt"}).code, 7) << "beside the program's own `data fetch`";
  EXPECT_EQ(given, (Words{"x.txt", "2 worlds"}));
}

TEST(Program, what_a_command_throws_is_an_exit_code) {
  const Answer thrown = answer({"moon", "fail"});
  EXPECT_EQ(thrown.code, exit_code::kFailed);
  EXPECT_EQ(thrown.complaint, "fleet: no air\n");
}

TEST(Program, help_lists_every_command_once) {
  const Answer help = answer({"--help"});
  EXPECT_EQ(help.code, 0);
  std::vector<std::string_view> names;
  for (const Command& command : command_table()) names.push_back(command.name);
  for (const Command& command : moon_commands()) names.push_back(command.name);
  for (const std::string_view name : names) {
    const std::string row = cat("\n  ", name, "  ");
    const std::size_t found = help.out.find(row);
    EXPECT_NE(found, std::string::npos) << name;
    EXPECT_EQ(help.out.find(row, found + 1), std::string::npos) << name;
  }
  EXPECT_EQ(answer({}).code, exit_code::kMisused);
  EXPECT_EQ(answer({}).out, help.out);
}

TEST(Program, the_first_word_of_two_lists_what_may_follow) {
  const Answer group = answer({"moon", "--help"});
  EXPECT_EQ(group.code, 0);
  EXPECT_NE(group.out.find("moon land"), std::string::npos);
  EXPECT_NE(group.out.find("moon fail"), std::string::npos);
  EXPECT_EQ(group.out.find("howl"), std::string::npos);
  EXPECT_EQ(answer({"moon"}).code, exit_code::kMisused);
  const Answer stray = answer({"moon", "eclipse"});
  EXPECT_EQ(stray.code, exit_code::kMisused);
  EXPECT_NE(stray.complaint.find("there is no command moon eclipse"), std::string::npos);
  EXPECT_NE(stray.complaint.find("moon land"), std::string::npos);
}

TEST(Program, a_slip_of_the_fingers_is_corrected) {
  EXPECT_EQ(answer({"howll"}).code, exit_code::kMisused);
  EXPECT_NE(answer({"howll"}).complaint.find("did you mean howl?"), std::string::npos);
  EXPECT_NE(answer({"moom", "land"}).complaint.find("did you mean moon?"), std::string::npos);
  EXPECT_NE(answer({"xyzzyxyzzy"}).complaint.find("try fleet --help"), std::string::npos);
}

TEST(Program, arguments_that_do_not_fit_are_answered_with_what_would) {
  const std::vector<std::pair<Words, std::string>> wrong = {
      {{"howl"}, "missing WOLF"},
      {{"howl", "a", "--times", "0"}, "--times 0: expected an integer from 1 to 9"},
      {{"howl", "a", "-n", "-5"}, "--times -5: expected an integer from 1 to 9"},
      {{"howl", "a", "--times", "two"}, "--times"},
      {{"howl", "a", "--times", "2.5"}, "--times"},
      {{"howl", "a", "--pitch", "0"}, "--pitch 0: expected a number above 0"},
      {{"howl", "a", "--pitch", "nan"}, "--pitch nan: expected a number above 0"},
      {{"howl", "a", "--at", "noon"}, "--at noon: expected dusk, night or dawn"},
      {{"howl", "a", "--quiet"}, "--quiet"},
      {{"moon", "land", "a", "b"}, "too many"},
      {{"data", "glow"}, "missing FILE"},
  };
  for (const auto& [words, expected] : wrong) {
    const Answer said = answer(words);
    EXPECT_EQ(said.code, exit_code::kMisused);
    EXPECT_NE(said.complaint.find(expected), std::string::npos) << said.complaint;
    EXPECT_TRUE(given.empty());
  }
  for (const Words& words : {Words{"howl", "a", "b", "--with", "anybody"}, Words{"howl", "a", "-n9", "--at=dawn"},
                             Words{"moon", "land"}, Words{"moon", "land", "eagle"}}) {
    EXPECT_EQ(answer(words).code, 7);
  }
}

TEST(Program, help_of_a_command_names_its_options_and_runs_nothing) {
  const Answer help = answer({"howl", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_TRUE(given.empty());
  for (const char* part : {"usage: fleet howl WOLVES ...", "at the moon", "--times", "(=3)", "--at", "(=night)"}) {
    EXPECT_NE(help.out.find(part), std::string::npos) << help.out;
  }
}

TEST(Program, no_two_commands_have_one_name) {
  const auto commands = command_table();
  for (std::size_t i = 0; i < commands.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(commands[i].name, commands[j].name);
  }
}

}  // namespace
}  // namespace fleet
