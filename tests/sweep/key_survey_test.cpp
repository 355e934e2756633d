// Laws of the survey of keys: what readers read is found, whatever it depends on, and with what it depends on.
#include "sweep/key_survey.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "merge/merger.hpp"

namespace fleet {
namespace {

/// A world whose keys depend on one another, and which must not be described: it has no data.
class DeepWorld : public World {
 public:
  void survey(SettingsReader& settings) override {
    static constexpr std::array<std::string_view, 3> kKinds = {"flat", "round", "none"};
    std::string kind = "flat";
    bool fine = false;
    int grain = 3;
    double radius = 1.0;
    settings.read("deep.kind", kind, kKinds, "Its form, of which there are three.");
    settings.read("deep.fine", fine, "Whether it is fine, which needs a form.");
    if (kind == "none" && fine) throw ConfigError("what has no form is not fine");
    if (kind == "round") settings.read("deep.radius", radius, above(0), "How large it is where it is round.");
    if (kind == "round" && fine) settings.read("deep.grain", grain, at_least(1), "How fine it is.");
    if (kind == "none") grain = 7;
    if (!fine && kind != "round") settings.read("deep.coarse", grain, at_least(1), "How coarse it is.");
  }
  CellFacts describe(SettingsReader& /*settings*/) override { throw Error("there are no data"); }
  void load(std::span<const Settings* const> /*cells*/, const Comm& /*run*/) override {}
  std::unique_ptr<Workload> make(const Settings& /*cell*/) override { return nullptr; }
};

const std::array kDeepWorlds = {
    WorldEntry{.name = "deep", .make = []() -> std::unique_ptr<World> { return std::make_unique<DeepWorld>(); }},
    WorldEntry{.name = "deeper", .make = []() -> std::unique_ptr<World> { return std::make_unique<DeepWorld>(); }},
    WorldEntry{.name = "absent", .make = []() -> std::unique_ptr<World> { throw ConfigError("not built"); }}};

const SurveyedKey& find(const std::vector<SurveyedKey>& keys, std::string_view key) {
  const auto found = std::ranges::find(keys, key, &SurveyedKey::key);
  if (found == keys.end()) throw Error(cat("no ", key));
  return *found;
}

TEST(KeySurvey, a_key_is_found_with_all_that_it_depends_on) {
  const std::vector<SurveyedKey> keys = survey_keys(kDeepWorlds);
  const std::vector<std::string> both = {"deep", "deeper"};
  const KeyUse& kind = find(keys, "deep.kind").uses.at(0);
  EXPECT_EQ(kind.worlds, both);
  EXPECT_TRUE(kind.conditions.empty());
  const KeyUse& radius = find(keys, "deep.radius").uses.at(0);
  EXPECT_EQ(radius.conditions, (std::vector<KeyCondition>{{"deep.kind", {"round"}}}));
  EXPECT_EQ(radius.note.range, above(0));
  const KeyUse& grain = find(keys, "deep.grain").uses.at(0);
  EXPECT_EQ(grain.conditions, (std::vector<KeyCondition>{{"deep.fine", {"true"}}, {"deep.kind", {"round"}}}));
}

TEST(KeySurvey, a_default_that_depends_on_another_key_is_a_use_of_its_own) {
  const SurveyedKey coarse = find(survey_keys(kDeepWorlds), "deep.coarse");
  ASSERT_EQ(coarse.uses.size(), 2U);
  EXPECT_EQ(coarse.uses[0].note.standard, Value(std::int64_t{3}));
  EXPECT_EQ(coarse.uses[0].conditions, (std::vector<KeyCondition>{{"deep.fine", {"false"}}, {"deep.kind", {"flat"}}}));
  EXPECT_EQ(coarse.uses[1].note.standard, Value(std::int64_t{7}));
  EXPECT_EQ(coarse.uses[1].conditions, (std::vector<KeyCondition>{{"deep.kind", {"none"}}}));
}

TEST(KeySurvey, every_method_is_asked_for_its_options_and_all_keys_have_sentences) {
  const std::vector<SurveyedKey> keys = survey_keys({});
  for (const MergerEntry& method : merger_table()) {
    const Settings none;
    KeyNotes notes;
    SettingsReader reader(none, &notes);
    (void)method.make(reader);
    for (const auto& [key, note] : notes) EXPECT_NO_THROW((void)find(keys, key)) << method.name;
  }
  for (const char* key : {"seed", "name", "workload", "merge.method", "merge.joint.steps", "run.output"}) {
    EXPECT_TRUE(find(keys, key).uses.at(0).worlds.empty());
  }
  for (const SurveyedKey& key : keys) {
    for (const KeyUse& use : key.uses) EXPECT_GE(use.note.about.size(), 10U) << key.key;
  }
}

}  // namespace
}  // namespace fleet
