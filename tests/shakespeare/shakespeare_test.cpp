#include "shakespeare/shakespeare.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

TextNetwork seven_weights(SettingsReader& /*settings*/) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("weight", {7});
  return {.layout = layout};
}

namespace fs = std::filesystem;

Settings settings_of(const std::vector<std::pair<std::string, Value>>& values) {
  Settings settings;
  for (const auto& [key, value] : values) settings[key] = {.value = value, .source = {"sweep.toml", 7, 3}};
  return settings;
}

/// A file of three roles that say 3,000, 2,000 and 1,000 characters, removed again; one per rank.
class TextWorldTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = fs::temp_directory_path() / cat("shakespeare_test-", world_.rank(), "-", world_.size(), ".txt");
    std::ofstream out(file_);
    for (int i = 0; i < 30; ++i) {
      for (int role = 0; role < 3; ++role) {
        if (i < 10 * (3 - role)) out << "ABC"[role] << ":\n" << std::string(99, "abc"[role]) << "\n\n";
      }
    }
  }
  void TearDown() override {
    world_.barrier();
    fs::remove(file_);
  }

  [[nodiscard]] Settings cell(std::vector<std::pair<std::string, Value>> values) const {
    values.emplace_back("run.data", file_.string());
    return settings_of(values);
  }
  CellFacts describe(const Settings& settings) {
    SettingsReader reader(settings);
    return texts_->describe(reader);
  }
  /// What the learner would be given.
  const TextData& data(const Settings& settings) {
    const Settings* const cells[] = {&settings};
    texts_->load(cells, world_);
    EXPECT_EQ(texts_->make(settings), nullptr);
    return learned_;
  }
  std::string complaint(const Settings& settings) {
    try {
      describe(settings);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "described";
  }

  Comm world_ = MpiSession::world();
  fs::path file_;
  TextData learned_;
  std::unique_ptr<World> texts_ =
      make_text_world({.network = seven_weights, .make = [this](TextData data, SettingsReader&) {
                         learned_ = std::move(data);
                         return std::unique_ptr<Workload>();
                       }});
};

TEST_F(TextWorldTest, hands_every_robot_what_its_roles_say) {
  const TextData& text = data(cell({{"fleet.robots", std::int64_t{2}}, {"data.line_ends", false}}));
  EXPECT_EQ(text.codes.size(), 6000U);
  ASSERT_EQ(text.partition.shards.size(), 2U);
  EXPECT_EQ(text.roles, (std::vector<std::string>{file_.string() + ": A", file_.string() + ": B"}));
  for (std::size_t i = 0; i < 2; ++i) {
    const TextShard& shard = text.partition.shards[i];
    std::vector<TextRange> ranges = shard.train;
    ranges.insert(ranges.end(), shard.held_out.begin(), shard.held_out.end());
    ranges.push_back(text.partition.roles[i].test);
    EXPECT_EQ(ranges.size(), 3U);
    std::int64_t characters = 0;
    for (const TextRange& range : ranges) {
      for (std::int64_t at = range.begin; at < range.end; ++at) {
        const char c = kTextVocabulary[text.codes[static_cast<std::size_t>(at)]];
        ASSERT_TRUE(c == "ab"[i] || c == ' ');
      }
      characters += range.size();
    }
    EXPECT_EQ(characters, i == 0 ? 3000 : 2000);
    EXPECT_EQ(text.characters[i][0], shard.train[0].size());
  }
}

TEST_F(TextWorldTest, keeps_line_ends_if_told_to) {
  for (const bool kept : {true, false}) {
    const TextData& text = data(cell({{"fleet.robots", std::int64_t{1}}, {"data.line_ends", kept}}));
    EXPECT_EQ(text.codes[99], code_of(kept ? '\n' : ' '));
  }
}

TEST_F(TextWorldTest, plans_without_loading) {
  const CellFacts facts = describe(cell({{"fleet.robots", std::int64_t{3}}, {"data.held_out", 0.0}}));
  EXPECT_EQ(facts.parameters, 7);
  EXPECT_EQ(facts.dataset_bytes, 6000);
  // Of each role nine tenths of the windows, and the window itself.
  EXPECT_EQ(facts.train_samples, (2628 + 80) + (1728 + 80) + (828 + 80));
}

TEST_F(TextWorldTest, names_what_is_wrong_before_anything_runs) {
  EXPECT_NE(complaint(cell({{"data.train", 1.0}})).find("data.train"), std::string::npos);
  EXPECT_NE(complaint(cell({{"fleet.partition", std::string("role")}})).find("natural"), std::string::npos);
}

TEST_F(TextWorldTest, complains_of_the_data_where_they_are_named) {
  const std::string short_roles = complaint(cell({{"data.window", std::int64_t{2900}}}));
  EXPECT_TRUE(short_roles.starts_with("sweep.toml:7:3: run.data = ")) << short_roles;
  EXPECT_NE(short_roles.find("none of 3 roles says enough"), std::string::npos) << short_roles;
  const std::string absent = complaint(settings_of({{"run.data", std::string("/nonexistent")}}));
  EXPECT_TRUE(absent.starts_with("sweep.toml:7:3: run.data = \"/nonexistent\": ")) << absent;
  EXPECT_NE(absent.find("fleet data fetch shakespeare"), std::string::npos) << absent;
}

TEST_F(TextWorldTest, refuses_more_robots_than_there_is_text_for) {
  for (const std::string kind : {"natural", "grouped", "dirichlet-plays", "dirichlet-roles", "contiguous"}) {
    const auto of = [&](std::int64_t robots) {
      return complaint(cell({{"fleet.robots", robots}, {"fleet.partition", kind}}));
    };
    const bool whole = kind == "natural" || kind == "grouped";
    const std::int64_t most = whole ? 3 : 66;  // roles, or windows of 80 in their training texts
    EXPECT_EQ(of(most), "described") << kind;
    const std::string many = of(most + 1);
    EXPECT_TRUE(many.starts_with(cat("sweep.toml:7:3: fleet.robots = ", most + 1, ": "))) << kind << ": " << many;
    EXPECT_NE(many.find(cat("only ", most)), std::string::npos) << many;
  }
}

TEST_F(TextWorldTest, any_byte_of_the_text_is_part_of_what_it_is) {
  const Settings settings = cell({{"fleet.robots", std::int64_t{2}}});
  const std::string data = describe(settings).data;
  const std::string whole = Scratch::read(file_);
  const auto other_world = [&] {  // that has not seen the file yet
    texts_ = make_text_world({.network = seven_weights, .make = {}});
    return describe(settings).data;
  };
  EXPECT_EQ(other_world(), data);
  for (const std::size_t at : {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 10}) {
    std::string bytes = whole;
    bytes[at] = bytes[at] == 'x' ? 'y' : 'x';
    Scratch::write(file_, bytes);
    EXPECT_NE(other_world(), data) << at;
  }
  Scratch::write(file_, whole);
  EXPECT_EQ(other_world(), data);
}

// The same words, said by others: what all roles say, one after another, is the same text.
TEST_F(TextWorldTest, who_says_it_is_part_of_what_it_is) {
  const auto digest_of = [&](int first) {
    std::ofstream out(file_);
    for (int i = 0; i < 60; ++i) out << (i < first ? "A" : "B") << ":\n" << std::string(99, 'a') << "\n\n";
    out.close();
    texts_ = make_text_world({.network = seven_weights, .make = {}});
    return describe(cell({{"fleet.robots", std::int64_t{2}}})).data;
  };
  EXPECT_NE(digest_of(30), digest_of(20));
}

TEST_F(TextWorldTest, a_text_that_has_changed_since_it_was_planned_is_not_learned) {
  const Settings settings = cell({{"fleet.robots", std::int64_t{2}}});
  (void)describe(settings);
  std::string bytes = Scratch::read(file_);
  bytes[bytes.find("aaa")] = 'e';
  Scratch::write(file_, bytes);
  const Settings* const cells[] = {&settings};
  texts_->load(cells, world_);
  try {
    (void)texts_->make(settings);
    FAIL() << "made";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has changed since the sweep was planned"), std::string::npos);
  }
}

}  // namespace
}  // namespace fleet
