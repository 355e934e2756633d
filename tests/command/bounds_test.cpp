// Sizes are checked where they are read: planning ends soon and in bounded memory, whatever integer a configuration
// asks for. Each plan is a process of its own, forked so that what the program is linked with is loaded only once.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "command/program.hpp"
#include "scratch.hpp"
#include "worlds.hpp"

namespace fleet {
namespace {

constexpr std::array kExtremes = {"-1", "0", "2147483647", "9223372036854775807"};

const std::string kImages = "workload = \"mnist\"\n";
const std::string kTexts = "workload = \"shakespeare\"\ndata.window = 20\nfleet.robots = 2\n";
const std::string kSmall = "model.hidden = [8]\n";

struct Case {
  std::string name;
  std::string text;  ///< of its configuration, but for run.data
  bool plays = false;
};

std::vector<Case> workloads() {
  return {
      {.name = "images", .text = kImages + kSmall + "fleet.robots = 5\n"},
      {.name = "convolutions", .text = kImages + kSmall + "model.kind = \"cnn\"\n"},
      {.name = "texts", .text = kTexts + kSmall + "model.embedding = 4\n", .plays = true},
      {.name = "transformer",
       .text = kTexts + "model.kind = \"transformer\"\nmodel.width = 8\nmodel.heads = 2\n",
       .plays = true},
      {.name = "linear policies", .text = "workload = \"lqg\"\nsystem.source = \"random\"\nmerge.method = \"gl\"\n"},
      {.name = "data-driven merging", .text = kImages + kSmall + "merge.method = \"sinkhorn-data\"\n"}};
}

struct Outcome {
  int code = -1;  ///< of a process that ended by itself
  std::string out;
  std::string err;
};

std::string all_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

void limit(decltype(RLIMIT_CPU) resource, rlim_t most) {
  const rlimit bound{.rlim_cur = most, .rlim_max = most};
  setrlimit(resource, &bound);
}

/// `fleet plan --resolved WORDS`, in a process that may take 10 s and 6 GiB.
Outcome plan(std::vector<std::string> words) {
  words.insert(words.begin(), {"fleet", "plan", "--resolved"});
  std::FILE* const out = std::tmpfile();
  std::FILE* const err = std::tmpfile();
  const pid_t child = fork();
  if (child == 0) {
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    limit(RLIMIT_CPU, 10);
    limit(RLIMIT_AS, rlim_t{6} << 30U);
    limit(RLIMIT_CORE, 0);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::exit(run_program(static_cast<int>(words.size()), argv.data(), world_table()));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = all_of(out), .err = all_of(err)};
}

std::string idx(const std::vector<unsigned>& shape, const std::string& body) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(shape.size())};
  for (const unsigned extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  }
  return bytes + body;
}

/// One workload's configuration and data in a directory of their own.
class Planned {
 public:
  explicit Planned(const Case& planned) : case_(planned) {
    Scratch::write(config_, case_.text);
    case_.plays ? write_play() : write_images();
  }

  [[nodiscard]] Outcome with(const std::string& setting = "") const {
    std::vector<std::string> words = {config_.string()};
    if (case_.name != "linear policies") words.insert(words.end(), {"--set", cat("run.data=", data_.string())});
    if (!setting.empty()) words.insert(words.end(), {"--set", setting});
    return plan(words);
  }

 private:
  void write_images() const {
    std::mt19937 random(7);
    for (const auto& [part, count] : {std::pair("train", 600U), std::pair("t10k", 2100U)}) {
      std::string images(std::size_t{64} * count, '\0');
      std::string labels(count, '\0');
      for (char& pixel : images) pixel = static_cast<char>(random());
      for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<char>(i % 10);
      Scratch::write(data_ / cat(part, "-images-idx3-ubyte"), idx({count, 8, 8}, images));
      Scratch::write(data_ / cat(part, "-labels-idx1-ubyte"), idx({count}, labels));
    }
  }

  void write_play() const {
    std::string play;
    for (int scene = 0; scene < 20; ++scene) {
      for (const auto& [role, line] : {std::pair("ANNE", "ab"), std::pair("BEN", "ba")}) {
        play += cat(role, ":\n");
        for (int i = 0; i < 20; ++i) play += line;
        play += "\n\n";
      }
    }
    Scratch::write(data_, play);
  }

  Case case_;
  Scratch scratch_;
  std::filesystem::path config_ = scratch_.path() / "sweep.toml";
  std::filesystem::path data_ = scratch_.path() / (case_.plays ? "play.txt" : "images");
};

/// Settings that hold an integer or a list of them, with @ in its place, from what `plan --resolved` prints.
std::vector<std::pair<std::string, std::string>> integer_settings(const std::string& resolved) {
  const std::regex line(R"((?:^|\n)([a-z0-9_.-]+) = (-?\d+|\[\d[^\n.]*\])(?=\n))");
  std::vector<std::pair<std::string, std::string>> settings;
  for (std::sregex_iterator each(resolved.begin(), resolved.end(), line), end; each != end; ++each) {
    const std::string key = (*each)[1];
    settings.emplace_back(key, key + ((*each)[2].str().starts_with('[') ? "=[@]" : "=@"));
  }
  return settings;
}

TEST(Planning, ends_soon_and_names_the_setting_whatever_integer_it_holds) {
  const std::set<std::string> told_apart = {"fleet.robots", "model.hidden", "data.window"};  // checked by each workload
  const std::regex refusal(R"((^|\n)fleet: (--set|\S.*\.toml:\d+:\d+): \S+ = )");
  std::set<std::string> seen;
  std::set<int> codes;
  for (const Case& workload : workloads()) {
    const Planned planned(workload);
    const Outcome resolved = planned.with();
    ASSERT_EQ(resolved.code, 0) << resolved.err;
    for (const auto& [key, setting] : integer_settings(resolved.out)) {
      if (!seen.insert(key).second && !told_apart.contains(key)) continue;
      for (const std::string value : kExtremes) {
        std::string set = setting;
        set.replace(set.find('@'), 1, value);
        const Outcome ended = planned.with(set);
        codes.insert(ended.code);
        EXPECT_TRUE(ended.code == 0 || ended.code == 2) << workload.name << ": " << set << ": " << ended.err;
        if (ended.code != 2 || ended.err.find("play.txt: ") != std::string::npos) continue;  // nothing in it suits
        EXPECT_TRUE(std::regex_search(ended.err, refusal)) << workload.name << ": " << set << ": " << ended.err;
      }
    }
  }
  EXPECT_GT(seen.size(), 30U);
  EXPECT_EQ(codes, (std::set{0, 2}));
}

}  // namespace
}  // namespace fleet
