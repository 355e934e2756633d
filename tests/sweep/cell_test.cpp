#include "sweep/cell.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "complaint.hpp"
#include "io/toml.hpp"
#include "sweep/common_training.hpp"

namespace fleet {
namespace {

/// A world of a few keys, which only plans.
class ToyWorld : public World {
 public:
  CellFacts describe(SettingsReader& settings) override {
    int size = 10;
    double noise = 0.5;
    double alpha = 1.0;
    double held_out = 0.1;
    std::vector<int> hidden{4};
    std::string place = "here";
    settings.read("toy.place", place, "A key of this test.");
    settings.read("data.held_out", held_out, between(0, 0.9), "A key of this test.");
    settings.read("toy.size", size, at_least(1), "A key of this test.");
    settings.read("toy.noise", noise, at_least(0), "A key of this test.");
    settings.read("fleet.alpha", alpha, above(0), "A key of this test.");
    settings.read("model.hidden", hidden, at_least(1), "A key of this test.");
    return {.parameters = hidden.front(),
            .maps = std::make_shared<const std::vector<AffineMap>>(1),
            .train_samples = size,
            .held_out = held_out > 0.0,
            .data = place == "there" ? "others" : "",
            .data_keys = {"toy.place"}};
  }
  void load(std::span<const Settings* const> /*cells*/, const Comm& /*run*/) override {}
  std::unique_ptr<Workload> make(const Settings& /*cell*/) override { return nullptr; }
};

/// Another, with a key that the first lacks and policies that are linear.
class QuietWorld : public ToyWorld {
 public:
  CellFacts describe(SettingsReader& settings) override {
    int volume = 3;
    settings.read("quiet.volume", volume, {}, "A key of this test.");
    return {.symmetry = GroupKind::kGeneralLinear};
  }
};

std::unique_ptr<World> make_toy() {
  return std::make_unique<ToyWorld>();
}
std::unique_ptr<World> make_quiet() {
  return std::make_unique<QuietWorld>();
}
constexpr std::array kWorlds = {WorldEntry{"toy", "a toy", make_toy}, WorldEntry{"quiet", "another", make_quiet}};

Sweep expand_settings(const Settings& settings) {
  Worlds worlds;
  return expand(settings, "default-name", kWorlds, worlds);
}

/// The sweep of a configuration of the toy world.
Sweep expand_text(const std::string& text) {
  return expand_settings(parse_toml("workload = \"toy\"\n" + text, "a.toml"));
}

/// With what the command line sets.
Sweep expand_with(const std::string& text, const std::vector<std::string>& overrides) {
  Settings settings = parse_toml("workload = \"toy\"\n" + text, "a.toml");
  for (const std::string& text_of_one : overrides) apply_override(text_of_one, settings);
  return expand_settings(settings);
}

std::string config_complaint(const std::string& text) {
  try {
    (void)expand_text(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

void expect_complaint(const std::string& text, const std::vector<std::string>& parts) {
  const std::string message = config_complaint(text);
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << '"' << part << "\" is missing in: " << message;
  }
}

std::vector<std::string> labels(const Sweep& sweep) {
  std::vector<std::string> texts;
  for (const Cell& cell : sweep.cells) texts.push_back(cell.label());
  return texts;
}

std::vector<std::string> ids(const Sweep& sweep) {
  std::vector<std::string> texts;
  for (const Cell& cell : sweep.cells) texts.push_back(cell.id);
  return texts;
}

std::set<std::string> id_set(const Sweep& sweep) {
  const std::vector<std::string> all = ids(sweep);
  return {all.begin(), all.end()};
}

/// Identities and labels: what a directory knows of a sweep.
void expect_same_cells(const Sweep& a, const Sweep& b) {
  ASSERT_EQ(labels(a), labels(b));
  EXPECT_EQ(ids(a), ids(b));
  for (std::size_t i = 0; i < a.cells.size(); ++i) {
    EXPECT_EQ(to_text(a.cells[i].settings.whole()), to_text(b.cells[i].settings.whole())) << "cell " << i;
  }
}

const std::string kGrid = "[sweep.grid]\nmerge.method = [\"average\", \"fleet-merge\"]\nseed = [0, 1, 2]\n";
const std::string kZip = "[[sweep.zip]]\nfleet.robots = [2, 4]\ntoy.noise = [0.1, 0.2]\n";

// Laws

TEST(Expand, the_canonical_configuration_expands_to_the_same_cells) {
  for (const std::string& text :
       {std::string("seed = 3\ntoy.noise = 1e-12\nmodel.hidden = [8, 4]\n"), kGrid, kZip, kGrid + kZip,
        std::string("name = \"größe\"\nmerge.method = \"local\"\n"),
        std::string("[sweep.grid]\nmodel.hidden = [[4], [8, 8]]\nfleet.alpha = [1, 0.5]\n"),
        std::string("[sweep.grid]\nworkload = [\"toy\", \"quiet\"]\n"),
        std::string("[sweep.grid]\nmerge.method = [\"joint\", \"local\", \"fleet-merge\", \"average\"]\n"
                    "merge.fleet-merge.temperature = [1, 0.1]\n")}) {
    const Sweep sweep = expand_text(text);
    const Sweep again = expand_settings(parse_toml(sweep.config, "sweep.toml"));
    expect_same_cells(sweep, again);
    EXPECT_EQ(again.config, sweep.config) << text;
    EXPECT_EQ(again.name, sweep.name);
  }
}

TEST(Expand, the_canonical_configuration_keeps_a_zip_that_stands_before_the_grid) {
  const Sweep sweep = expand_text(kZip + kGrid);
  const Sweep again = expand_settings(parse_toml(sweep.config, "sweep.toml"));
  expect_same_cells(sweep, again);
  EXPECT_EQ(again.config, sweep.config);
}

TEST(Expand, the_canonical_configuration_keeps_many_zips_in_order) {
  std::string text;
  for (const char* line :
       {"toy.noise = [0.1]", "toy.size = [1]", "seed = [1]", "fleet.robots = [1]", "train.epochs = [1]",
        "fleet.alpha = [0.5]", "merge.participation = [0.5]", "merge.average.weighted = [true]",
        "merge.every_epochs = [1]", "evaluate.local = [\"never\"]", "merge.moments = [\"keep\"]"}) {
    text += cat("[[sweep.zip]]\n", line, '\n');
  }
  const Sweep sweep = expand_text(text);
  ASSERT_EQ(sweep.axes.size(), 11U);
  EXPECT_EQ(sweep.axes.front().keys, std::vector<std::string>{"toy.noise"});
  EXPECT_EQ(sweep.axes.back().keys, std::vector<std::string>{"merge.moments"});
  expect_same_cells(sweep, expand_settings(parse_toml(sweep.config, "sweep.toml")));
}

TEST(Expand, every_cell_has_an_identity_of_its_own) {
  for (const std::string& text : {kGrid, kZip + kGrid,
                                  // The temperature is nothing to average, yet both cells are on the axis.
                                  kGrid + "merge.fleet-merge.temperature = [0.1, 0.2]\n",
                                  std::string("[[sweep.zip]]\nseed = [0, 0]\ntoy.noise = [0.1, 0.2]\n")}) {
    const Sweep sweep = expand_text(text);
    EXPECT_EQ(id_set(sweep).size(), sweep.cells.size()) << text;
    for (const Cell& cell : sweep.cells) {
      EXPECT_EQ(cell.id.size(), 16U);
      EXPECT_EQ(cell.id.find_first_not_of("0123456789abcdef"), std::string::npos);
    }
  }
}

TEST(Expand, the_same_cell_twice_on_zipped_axes_is_refused) {
  expect_complaint("[sweep.zip.01]\nseed = [0, 1]\n", {"a.toml:3:8: sweep.zip.01.seed", "[[sweep.zip]]"});
  expect_complaint("[[sweep.zip]]\nseed = [0, 1, 0]\ntoy.noise = [0.1, 0.2, 0.1]\n", {"a.toml:", "twice"});
  expect_complaint("[[sweep.zip]]\nseed = [1, 1]\n", {"a.toml:3:", "seed", "twice"});
}

TEST(Expand, the_same_cell_by_two_spellings_of_a_value_is_refused) {
  expect_complaint("[sweep.grid]\nfleet.alpha = [1, 1.0]\n", {"a.toml:3:", "fleet.alpha", "1.0", "already"});
}

TEST(Expand, a_sweep_that_gets_another_axis_keeps_its_cells) {
  const std::set<std::string> before = id_set(expand_text(kGrid));
  for (const char* axis : {"toy.noise = [0.25, 0.5]\n", "fleet.alpha = [0.1, 1.0]\n"}) {  // with the defaults
    const std::set<std::string> after = id_set(expand_text(kGrid + axis));
    EXPECT_EQ(after.size(), 2 * before.size());
    EXPECT_TRUE(std::ranges::includes(after, before)) << axis;
    EXPECT_EQ(axis_keys(parse_toml(expand_text(kGrid + axis).config, "sweep.toml")).size(), 3U);
  }
}

TEST(Expand, identities_do_not_depend_on_the_order_of_keys) {
  const Sweep one = expand_text(
      "seed = 1\n[toy]\nnoise = 0.25\nsize = 5\n[fleet]\nrobots = 3\n[sweep.grid]\nmerge.method = [\"average\", "
      "\"local\"]\n");
  const Sweep other = expand_text(
      "toy.size = 5\nfleet = { robots = 3 }\ntoy.noise = 0.25\nseed = 1\n"
      "sweep.grid.merge.method = [\"average\", \"local\"]\n");
  expect_same_cells(one, other);
  EXPECT_EQ(one.config, other.config);
}

TEST(Expand, identities_do_not_depend_on_the_order_of_axes) {
  const Sweep one = expand_text("[sweep.grid]\nmerge.method = [\"average\", \"local\"]\nseed = [0, 1]\n");
  const Sweep other = expand_text("[sweep.grid]\nseed = [1, 0]\nmerge.method = [\"average\", \"local\"]\n");
  EXPECT_EQ(id_set(one), id_set(other));
}

TEST(Expand, identities_do_not_depend_on_how_the_sweep_is_run_or_called) {
  const Sweep plain = expand_text(kGrid);
  const Sweep run = expand_text(
      "name = \"other\"\nrun.output = \"elsewhere\"\nrun.threads = 4\nrun.ranks_per_cell = 2\n"
      "run.save_weights = true\n" +
      kGrid);
  EXPECT_EQ(ids(plain), ids(run));
  EXPECT_EQ(run.run.output, "elsewhere");
  EXPECT_EQ(run.run.threads, 4);
  EXPECT_EQ(run.run.ranks_per_cell, 2);
  EXPECT_TRUE(run.run.save_weights);
}

TEST(Expand, identities_do_not_depend_on_where_data_lie_but_on_what_they_are) {
  const Sweep here = expand_text("toy.place = \"here\"\n" + kGrid);
  const Sweep moved = expand_text("toy.place = \"moved\"\n" + kGrid);
  EXPECT_EQ(ids(here), ids(moved));
  EXPECT_EQ(here.config, moved.config);
  const Sweep there = expand_text("toy.place = \"there\"\n" + kGrid);
  EXPECT_NE(ids(here), ids(there));
  EXPECT_EQ(there.config, here.config + "# of data others\n");
  EXPECT_EQ(id_set(expand_text("sweep.grid.toy.place = [\"here\", \"there\"]")).size(), 2U) << "an axis all the same";
}

TEST(Expand, the_whole_configuration_says_how_to_run_and_where_data_lie) {
  const Sweep sweep = expand_text("name = \"mine\"\ntoy.place = \"moved\"\nrun.threads = 3\n" + kGrid);
  const Sweep again = expand_settings(parse_toml(sweep.resolved, "resolved.toml"));
  EXPECT_EQ(again.resolved, sweep.resolved);
  EXPECT_EQ(again.config, sweep.config);
  EXPECT_EQ(again.run.threads, 3);
  EXPECT_EQ(again.name, "mine");
  EXPECT_NE(sweep.resolved.find("toy.place = \"moved\"\n"), std::string::npos);
  EXPECT_NE(sweep.resolved.find("run.save_models = \"none\"\n"), std::string::npos) << "defaults, too";
}

TEST(Expand, a_default_written_out_changes_no_identity) {
  EXPECT_EQ(ids(expand_text(kGrid)), ids(expand_text("toy.noise = 0.5\ntoy.size = 10\nfleet.alpha = 1\n" + kGrid)));
  EXPECT_NE(ids(expand_text(kGrid)), ids(expand_text("toy.noise = 0.25\n" + kGrid)));
}

TEST(Expand, options_of_a_method_that_is_not_chosen_change_no_identity) {
  const std::string average = "merge.method = \"average\"\n";
  EXPECT_EQ(ids(expand_text(average)), ids(expand_text(average + "merge.fleet-merge.temperature = 0.25\n")));
}

TEST(Expand, values_added_to_an_axis_keep_the_identities_there_were) {
  const std::set<std::string> before = id_set(expand_text("[sweep.grid]\nfleet.alpha = [0.1, 1.0]\nseed = [0, 1]\n"));
  const std::set<std::string> after =
      id_set(expand_text("[sweep.grid]\nfleet.alpha = [0.1, 0.5, 1.0]\nseed = [2, 1, 0]\n"));
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
}

TEST(Expand, an_override_is_as_good_as_the_line_it_replaces) {
  expect_same_cells(expand_with("toy.noise = 0.25\n" + kGrid, {"toy.noise=0.75", "fleet.robots=3"}),
                    expand_text("toy.noise = 0.75\nfleet.robots = 3\n" + kGrid));
  const Sweep sweep = expand_with("[sweep.grid]\nseed = [0]\n", {"sweep.grid.seed=[4, 5]"});
  EXPECT_EQ(labels(sweep), (std::vector<std::string>{"seed=4", "seed=5"}));
  EXPECT_EQ(ids(sweep), ids(expand_text("[sweep.grid]\nseed = [4, 5]\n")));
}

TEST(Expand, an_override_of_one_axis_keeps_the_cells_on_the_others) {
  EXPECT_EQ(id_set(expand_with(kGrid, {"sweep.grid.seed=[0, 1, 2]"})), id_set(expand_text(kGrid)));
}

// Cells that are left out

const std::string kOnce =
    "[[sweep.exclude]]\nmerge.method = [\"joint\", \"local\"]\nmerge.every_epochs = [1, 5]\n"
    "[[sweep.exclude]]\nmerge.participation = 0.4\nmerge.method = \"joint\"\n";
const std::string kRivals =
    "[sweep.grid]\nmerge.method = [\"average\", \"joint\", \"local\"]\nmerge.every_epochs = [1, 5, 0]\n"
    "merge.participation = [1.0, 0.4]\n";

TEST(Exclude, leaves_out_the_cells_that_have_one_of_the_values_of_every_key) {
  const Sweep all = expand_text(kRivals);
  const Sweep sweep = expand_text(kRivals + kOnce);
  std::vector<std::string> kept;
  for (const Cell& cell : all.cells) {
    const bool once = cell.fleet.merge_every == 0;
    if (cell.method == "joint" && (!once || cell.fleet.participation < 1.0)) continue;
    if (cell.method == "local" && !once) continue;
    kept.push_back(cell.id);
  }
  EXPECT_EQ(ids(sweep), kept) << "in their order, and they are who they were";
  EXPECT_EQ(kept.size(), 6U + 1U + 2U);
  EXPECT_EQ(sweep.left_out, 18U - kept.size());
}

TEST(Exclude, is_kept_by_both_texts_of_the_sweep) {
  const std::string zipped = "[[sweep.exclude]]\nfleet.robots = 4\nseed = [0, 2]\n";
  for (const std::string& text : {kRivals + kOnce, kGrid + kZip + zipped, zipped + kZip + kGrid,
                                  std::string("[sweep.grid]\nmodel.hidden = [[4], [8, 8]]\nseed = [0, 1]\n"
                                              "[[sweep.exclude]]\nmodel.hidden = [8, 8]\nseed = 1\n")}) {
    const Sweep sweep = expand_text(text);
    EXPECT_GT(sweep.left_out, 0U) << text;
    expect_same_cells(sweep, expand_settings(parse_toml(sweep.config, "sweep.toml")));
    expect_same_cells(sweep, expand_settings(parse_toml(sweep.resolved, "resolved.toml")));
    EXPECT_EQ(expand_settings(parse_toml(sweep.config, "sweep.toml")).config, sweep.config);
  }
}

TEST(Exclude, more_of_them_leave_out_no_less) {
  std::string text = kGrid;
  std::set<std::string> before = id_set(expand_text(text));
  for (const char* next : {"seed = 2\n", "merge.method = \"average\"\nseed = [1, 2]\n", "seed = 0\n"}) {
    text += cat("[[sweep.exclude]]\n", next);
    const std::set<std::string> now = id_set(expand_text(text));
    EXPECT_LT(now.size(), before.size()) << text;
    EXPECT_TRUE(std::ranges::includes(before, now)) << text;
    before = now;
  }
  expect_complaint(text + "[[sweep.exclude]]\nmerge.method = \"fleet-merge\"\n", {"a.toml:6:", "leave no cell"});
}

TEST(Exclude, a_value_may_be_spelt_otherwise_than_on_the_axis) {
  const std::string axis = "[sweep.grid]\nfleet.alpha = [1.0, 0.5]\n";
  EXPECT_EQ(labels(expand_text(axis + "[[sweep.exclude]]\nfleet.alpha = 1\n")),
            std::vector<std::string>{"fleet.alpha=0.5"});
}

TEST(Exclude, integers_are_told_apart_however_large) {
  const std::string axis = "[sweep.grid]\nseed = [9007199254740992, 9007199254740993]\n";
  EXPECT_EQ(labels(expand_text(axis + "[[sweep.exclude]]\nseed = 9007199254740993\n")),
            std::vector<std::string>{"seed=9007199254740992"});
}

TEST(Exclude, mistakes_are_explained) {
  expect_complaint(
      kGrid + "[[sweep.exclude]]\nmerge.method = \"local\"\n",
      {"a.toml:6:", "merge.method", "\"local\" does not stand on the axis", "\"average\", \"fleet-merge\""});
  expect_complaint(kGrid + "[[sweep.exclude]]\nmerge.methods = \"average\"\n",
                   {"a.toml:6:", "no axis has this key", "did you mean merge.method?"});
  expect_complaint("fleet.alpha = 1.0\n" + kGrid + "[[sweep.exclude]]\nfleet.alpha = 1.0\n",
                   {"a.toml:7:", "no axis has this key"});
  expect_complaint(kGrid + "[[sweep.exclude]]\nseed = []\n", {"a.toml:6:", "seed", "a list of values"});
  expect_complaint(kZip + "[[sweep.exclude]]\ntoy.noise = 0.1\nfleet.robots = 4\n",
                   {"a.toml:6:", "leaves out no cell", "fleet.robots and toy.noise"});
  expect_complaint("[[sweep.grid]]\nseed = [0]\n", {"a.toml:3:", "[sweep.grid] is one table, in single brackets"});
  expect_complaint("sweep.exclude = 3\n" + kGrid, {"a.toml:2:", "sweep.exclude", "unknown key"});
  for (const char* table : {"sweep.exclude", "sweep.exclude.\"\"", "sweep.exclude.99999999999999999999"}) {
    expect_complaint(cat(kGrid, "[", table, "]\nseed = 0\n"), {"a.toml:6:", "headed [[sweep.exclude]]"});
  }
}

TEST(Exclude, an_axis_changed_on_the_command_line_leaves_what_still_applies) {
  EXPECT_EQ(id_set(expand_with(kRivals + kOnce, {"sweep.grid.merge.every_epochs=[0, 3]"})),
            id_set(expand_text("[sweep.grid]\nmerge.method = [\"average\", \"joint\", \"local\"]\n"
                               "merge.every_epochs = [0, 3]\nmerge.participation = [1.0, 0.4]\n"
                               "[[sweep.exclude]]\nmerge.method = \"joint\"\nmerge.participation = 0.4\n")));
}

TEST(Exclude, a_key_fixed_on_the_command_line_takes_the_tables_away_that_speak_of_it) {
  const std::string once = "[[sweep.exclude]]\nmerge.participation = 0.4\nmerge.method = \"joint\"\n";
  const std::string rest =
      "[sweep.grid]\nmerge.method = [\"average\", \"joint\", \"local\"]\nmerge.participation = [1.0, 0.4]\n";
  for (const char* every : {"1", "3"}) {
    EXPECT_EQ(id_set(expand_with(kRivals + kOnce, {cat("merge.every_epochs=", every)})),
              id_set(expand_text(cat("merge.every_epochs = ", every, '\n', rest, once))));
  }
  const std::string others = "[sweep.grid]\nmerge.every_epochs = [1, 5, 0]\nmerge.participation = [1.0, 0.4]\n";
  for (const char* method : {"average", "joint"}) {
    EXPECT_EQ(id_set(expand_with(kRivals + kOnce, {cat("merge.method=", method)})),
              id_set(expand_text(cat("merge.method = \"", method, "\"\n", others))));
  }
}

// As many as there may be

/// "key = [0, 1, 2, ...]".
std::string numbered_axis(const std::string& key, std::size_t values) {
  std::string text = key + " = [";
  for (std::size_t i = 0; i < values; ++i) text += cat(i, ", ");
  return text + "]\n";
}

TEST(Expand, axes_whose_product_is_no_number_of_cells_are_refused_with_the_limit) {
  std::string axes = "[sweep.grid]\n";
  for (int i = 0; i < 64; ++i) axes += cat("a", i, " = [1, 2]\n");  // 2^64 is 0 in 64 bits
  expect_complaint(axes, {"a.toml:3:", "1.84e+19 cells", "at most 200000"});
  expect_complaint("[sweep.grid]\n" + numbered_axis("toy.size", 1000) + numbered_axis("seed", 1000),
                   {"a.toml:3:", "1000000 cells", "at most 200000"});
  expect_complaint(axes + "[[sweep.exclude]]\na1 = 1\n", {"a.toml:3:", "1.84e+19 points", "10000000"});
}

TEST(Expand, cells_are_counted_without_those_left_out) {
  const std::string axes = "[sweep.grid]\n" + numbered_axis("toy.noise", 1000) + numbered_axis("seed", 1000);
  std::string excluded = "[[sweep.exclude]]\n" + numbered_axis("seed", 999);
  EXPECT_EQ(expand_text(axes + excluded).cells.size(), 1000U);
  excluded = "[[sweep.exclude]]\n" + numbered_axis("seed", 700);
  expect_complaint(axes + excluded, {"a.toml:3:", "300000 cells", "at most 200000"});
}

TEST(Expand, an_axis_too_long_for_results_is_refused_where_it_stands) {
  expect_complaint("[sweep.grid]\n" + numbered_axis("seed", 100'000), {"a.toml:3:", "sweep.grid.seed", "65000"});
  EXPECT_LT(config_complaint("[sweep.grid]\n" + numbered_axis("seed", 100'000)).size(), 1000U)
      << "no message shows it all";
}

TEST(Expand, every_cell_of_many_has_the_settings_of_its_point) {
  const Sweep sweep = expand_text("toy.size = 3\n[sweep.grid]\nworkload = [\"toy\", \"quiet\"]\n" +
                                  numbered_axis("seed", 3) + "merge.method = [\"average\", \"joint\"]\n");
  ASSERT_EQ(sweep.cells.size(), 12U);
  for (const Cell& cell : sweep.cells) {
    std::string alone = cell.workload == "toy" ? "toy.size = 3\n" : "";
    for (const auto& [key, value] : cell.axes) alone += cat(key, " = ", value.to_string(), '\n');
    const Sweep single = expand_settings(parse_toml(alone, "b.toml"));
    ASSERT_EQ(single.cells.size(), 1U);
    EXPECT_EQ(to_text(cell.settings.whole()), to_text(single.cells[0].settings.whole()));
    for (const auto& [key, setting] : single.cells[0].settings.whole()) {
      ASSERT_NE(cell.settings.find(key), nullptr) << key;
      EXPECT_EQ(cell.settings.find(key)->value, setting.value) << key;
    }
    EXPECT_EQ(cell.settings.contains("quiet.volume"), cell.workload == "quiet");
    EXPECT_EQ(cell.settings.find("quiet.volume") != nullptr, cell.workload == "quiet");
  }
}

// Names and places

TEST(Expand, a_name_is_a_name) {
  for (const char* name :
       {"", "a/b", "..", ".hidden", "-option", "two words", "a\\nb", "\\\"", "a'b", "$HOME", "a;b"}) {
    expect_complaint(cat("name = \"", name, "\"\n"), {"a.toml:2:8: name = ", "letters, digits"});
  }
  expect_complaint("name = \"" + std::string(151, 'a') + "\"\n", {"a.toml:2:8: name = ", "151 bytes", "150"});
  EXPECT_EQ(expand_text("name = \"größe-1.5_b+c=d\"\n").run.output, "results/größe-1.5_b+c=d");
}

TEST(Expand, a_sweep_lies_in_a_directory) {
  expect_complaint("run.output = \"\"\n", {"a.toml:2:14: run.output = \"\"", "directory of its own"});
  expect_complaint("run.output = \"//\"\n", {"run.output = \"//\"", "root"});
  expect_complaint("run.output = \"results/a.h5\"\n",
                   {"run.output = \"results/a.h5\"", "joined in a.h5", "leave out .h5"});
  expect_complaint("run.output = \"a/" + std::string(151, 'b') + "\"\n", {"run.output = ", "151 bytes", "150"});
  expect_complaint("run.output = \"a\\nb\"\n", {"run.output = \"a\\u000ab\"", "control character"});
  EXPECT_EQ(expand_text("run.output = \"my 'results' (größe)\"\n").run.output, "my 'results' (größe)");
}

// Order

TEST(Expand, without_axes_there_is_one_cell) {
  const Sweep sweep = expand_text("");
  ASSERT_EQ(sweep.cells.size(), 1U);
  EXPECT_EQ(sweep.cells[0].label(), "the only cell");
  EXPECT_TRUE(axis_keys(sweep.axes).empty());
  EXPECT_EQ(sweep.name, "default-name");
  EXPECT_EQ(sweep.run.output, "results/default-name");
  EXPECT_EQ(expand_text("name = \"mine\"\n").run.output, "results/mine");
}

TEST(Expand, a_grid_goes_through_its_axes_as_written_the_last_fastest) {
  const Sweep sweep = expand_text("[sweep.grid]\nseed = [7, 3]\nmerge.method = [\"local\", \"average\"]\n");
  EXPECT_EQ(axis_keys(sweep.axes), (std::vector<std::string>{"seed", "merge.method"}));
  EXPECT_EQ(labels(sweep),
            (std::vector<std::string>{"seed=7 merge.method=\"local\"", "seed=7 merge.method=\"average\"",
                                      "seed=3 merge.method=\"local\"", "seed=3 merge.method=\"average\""}));
}

TEST(Expand, zipped_keys_advance_together) {
  const Sweep sweep = expand_text(kZip);
  EXPECT_EQ(labels(sweep), (std::vector<std::string>{"fleet.robots=2 toy.noise=0.1", "fleet.robots=4 toy.noise=0.2"}));
  EXPECT_EQ(sweep.cells[1].fleet.robots, 4);
  EXPECT_EQ(sweep.cells[1].settings.find("toy.noise")->value, Value(0.2));
}

TEST(Expand, zips_and_grid_multiply) {
  const std::string second_zip = "[[sweep.zip]]\ntrain.epochs = [1, 2, 3]\nmerge.every_epochs = [1, 0, 3]\n";
  const Sweep sweep = expand_text(kGrid + kZip + second_zip);
  ASSERT_EQ(sweep.cells.size(), 2U * 3U * 2U * 3U);
  EXPECT_EQ(sweep.axes.size(), 4U);
  EXPECT_EQ(sweep.cells[0].label(),
            "merge.method=\"average\" seed=0 fleet.robots=2 toy.noise=0.1 merge.every_epochs=1 train.epochs=1");
  EXPECT_EQ(sweep.cells[1].label(),
            "merge.method=\"average\" seed=0 fleet.robots=2 toy.noise=0.1 merge.every_epochs=0 train.epochs=2");
  EXPECT_EQ(sweep.cells.back().label(),
            "merge.method=\"fleet-merge\" seed=2 fleet.robots=4 toy.noise=0.2 merge.every_epochs=3 train.epochs=3");
  EXPECT_EQ(id_set(sweep).size(), sweep.cells.size());
}

TEST(Expand, cells_have_the_options_of_their_point) {
  const Sweep sweep = expand_text(
      "train.epochs = 6\nmerge.every_epochs = 2\nmerge.participation = 0.5\n"
      "merge.hand_back = \"participants\"\nmerge.moments = \"average\"\n"
      "evaluate.local = \"every\"\nfleet.robots = 7\nmodel.hidden = [3]\n" +
      kGrid);
  ASSERT_EQ(sweep.cells.size(), 6U);
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    const Cell& cell = sweep.cells[i];
    EXPECT_EQ(cell.fleet.seed, i % 3);
    EXPECT_EQ(cell.method, i < 3 ? "average" : "fleet-merge");
    EXPECT_EQ(cell.workload, "toy");
    EXPECT_EQ(cell.fleet.rounds(), 3);
    EXPECT_EQ(cell.fleet.participation, 0.5);
    EXPECT_EQ(cell.fleet.hand_back, FleetOptions::HandBack::kParticipants);
    EXPECT_EQ(cell.fleet.moments, FleetOptions::Moments::kAverage);
    EXPECT_EQ(cell.fleet.local_tests, FleetOptions::LocalTests::kEvery);
    EXPECT_EQ(cell.fleet.trainees, FleetOptions::Trainees::kAll);
    EXPECT_EQ(cell.cost(), 10.0 * 6.0 * 3.0);
    EXPECT_EQ(cell.settings.contains("merge.fleet-merge.temperature"), i >= 3);
  }
}

TEST(Expand, cells_cost_less_in_which_only_participants_train) {
  const Sweep sweep = expand_text(
      "train.epochs = 6\ntrain.robots = \"participants\"\nmerge.participation = 0.5  # three of five\n"
      "[sweep.grid]\nmerge.method = [\"average\", \"local\", \"joint\"]\n");
  ASSERT_EQ(sweep.cells.size(), 3U);
  EXPECT_DOUBLE_EQ(sweep.cells[0].cost(), 0.6 * sweep.cells[1].cost());
  EXPECT_EQ(sweep.cells[1].cost(), sweep.cells[2].cost());  // nobody takes part in merges
}

TEST(Expand, the_base_may_give_a_value_to_a_key_that_varies) {
  EXPECT_EQ(ids(expand_text("seed = 9\n" + kGrid)), ids(expand_text(kGrid)));
}

TEST(Expand, a_world_is_made_once_and_kept) {
  Worlds worlds;
  const Settings settings = parse_toml("[sweep.grid]\nworkload = [\"toy\", \"quiet\"]\nseed = [0, 1]\n", "a.toml");
  const Sweep sweep = expand(settings, "name", kWorlds, worlds);
  EXPECT_EQ(sweep.cells.size(), 4U);
  ASSERT_EQ(worlds.size(), 2U);
  const World* toy = worlds.at("toy").get();
  (void)expand(settings, "name", kWorlds, worlds);
  EXPECT_EQ(worlds.at("toy").get(), toy);
}

// Refusals

TEST(Expand, an_unknown_key_is_named_with_the_one_that_was_meant) {
  expect_complaint("toy.nois = 0.1\n", {"a.toml:2:12: toy.nois = 0.1", "unknown key", "did you mean toy.noise?"});
  expect_complaint("fleet.noise = 0.1\n", {"did you mean toy.noise?"});
  expect_complaint("merge.fleet-merge.temprature = 0.1\n", {"did you mean merge.fleet-merge.temperature?"});
  expect_complaint("[run]\noutptu = \"x\"\n", {"a.toml:3:10", "did you mean run.output?"});
  expect_complaint("zzzzzzzzzzzz = 1\n", {"a.toml:2:16: zzzzzzzzzzzz = 1: unknown key"});
}

TEST(Expand, an_unknown_key_on_an_axis_is_named_with_the_one_that_was_meant) {
  expect_complaint("[sweep.grid]\ntoy.nois = [0.1, 0.2]\n",
                   {"a.toml:3:12: toy.nois", "unknown key", "did you mean toy.noise?"});
  expect_complaint("[[sweep.zip]]\nseed = [0, 1]\nfleet.robts = [1, 2]\n",
                   {"a.toml:4:15: fleet.robts", "did you mean fleet.robots?"});
}

TEST(Expand, a_key_of_another_world_is_unknown) {
  expect_complaint("quiet.volume = 1\n", {"quiet.volume = 1: nothing here reads it; it is of workload quiet"});
}

TEST(Expand, a_key_that_only_some_cells_read_is_known) {
  EXPECT_EQ(config_complaint("quiet.volume = 1\n[sweep.grid]\nworkload = [\"toy\", \"quiet\"]\n"), "accepted");
  EXPECT_EQ(config_complaint("merge.method = \"average\"\nmerge.joint.steps = \"fleet\"\n"), "accepted");
}

TEST(Expand, an_option_of_a_method_that_is_not_chosen_is_checked_all_the_same) {
  expect_complaint("merge.method = \"average\"\nmerge.fleet-merge.temperature = -1\n",
                   {"a.toml:3:33: merge.fleet-merge.temperature = -1: expected a number above 0"});
}

TEST(Expand, a_wrong_choice_is_corrected) {
  expect_complaint("merge.method = \"fleet-marge\"\n",
                   {"a.toml:2:16: merge.method = \"fleet-marge\"", "\"average\"", "did you mean \"fleet-merge\"?"});
  expect_complaint("[sweep.grid]\nmerge.method = [\"average\", \"avrage\"]\n",
                   {"a.toml:3:16: merge.method = \"avrage\"", "did you mean \"average\"?"});
  expect_complaint("[sweep.grid]\nworkload = [\"toi\"]\n", {"workload = \"toi\"", "\"toy\", \"quiet\""});
  expect_complaint("merge.hand_back = \"al\"\n", {"\"all\", \"participants\""});
}

TEST(Expand, a_method_by_another_name_is_told_its_own) {
  for (const char* name : {"fedavg", "FedAvg", "Mean", "model soup"}) {
    expect_complaint(cat("merge.method = \"", name, "\"\n"), {"a.toml:2:16:", "this is called \"average\" here"});
  }
  expect_complaint("[sweep.grid]\nmerge.method = [\"average\", \"git_re_basin\"]\n",
                   {"a.toml:3:16:", "merge.method = \"git_re_basin\"", "\"git-rebasin\" here"});
}

TEST(Expand, a_fleet_that_no_machine_holds_is_refused_with_its_size) {
  expect_complaint("fleet.robots = 1000000\nmodel.hidden = [2000000000]\n",
                   {"a.toml:2:16: fleet.robots = 1000000", "TiB", "may take 64"});
  expect_complaint("fleet.robots = 2147483647\n", {"a.toml:2:16:", "from 1 to 1000000"});
  expect_complaint("run.threads = 100000\n", {"a.toml:2:15:", "from 1 to 1024"});
}

TEST(Expand, a_list_where_a_value_is_meant_is_told_how_to_be_an_axis) {
  expect_complaint("seed = [1, 2]\n", {"a.toml:2:8: seed = [1, 2]", "sweep.grid.seed = [...]"});
  expect_complaint("merge.method = [\"local\", \"joint\"]\n", {"a.toml:2:16:", "sweep.grid.merge.method = [...]"});
  EXPECT_EQ(config_complaint("run.threads = [1, 2]\n").find("sweep.grid"), std::string::npos) << "that can be no axis";
  Settings settings = parse_toml("workload = \"toy\"\n", "a.toml");
  apply_override("seed=[1, 2]", settings);
  try {
    (void)expand_settings(settings);
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("--set sweep.grid.seed=[...]"), std::string::npos) << error.what();
  }
}

TEST(Expand, a_method_that_needs_other_policies_is_refused_by_the_setting_that_makes_it_so) {
  expect_complaint("merge.method = \"gl\"\n", {"a.toml:2:16: merge.method = \"gl\"", "\"toy\" can only be permuted",
                                               "methods for them are average, scaffold, fleet-merge"});
  expect_complaint("merge.method = \"best-of\"\nmerge.best-of.candidates = [\"average\", \"gl\"]\n",
                   {"a.toml:3:28: merge.best-of.candidates", "\"toy\" can only be permuted"});
  const std::vector<std::pair<std::string, std::string>> in_vain = {
      {"merge.method = \"regmean\"\n", "a.toml:2:16: merge.method = \"regmean\""},
      {"merge.method = \"regression\"\n", "merge.method = \"regression\""},
      {"merge.method = \"best-of\"\n", "merge.best-of.candidates = "},
      {"merge.method = \"git-rebasin\"\nmerge.git-rebasin.match = \"activations\"\n", "merge.git-rebasin.match = "},
      {"merge.method = \"fisher\"\nmerge.fisher.align = \"activations\"\n", "merge.fisher.align = "}};
  for (const auto& [settings, named] : in_vain) {
    const std::string message = config_complaint(settings + "[sweep.grid]\nworkload = [\"quiet\"]\n");
    EXPECT_NE(message.find("no layered networks; methods for them are average"), std::string::npos) << message;
    EXPECT_NE(message.find(named), std::string::npos) << message;
  }
  for (const char* suited : {"gl", "git-rebasin", "fisher", "local", "joint"}) {
    EXPECT_EQ(config_complaint(cat("[sweep.grid]\nworkload = [\"quiet\"]\nmerge.method = [\"", suited, "\"]\n")),
              "accepted");
  }
}

TEST(Expand, a_wrong_value_is_found_in_any_cell) {
  expect_complaint("fleet.robots = 0\n", {"a.toml:2:16: fleet.robots = 0: expected an integer"});
  expect_complaint("[sweep.grid]\nseed = [0, 1]\nfleet.robots = [1, 2, 0]\n", {"a.toml:4:16: fleet.robots = 0"});
  expect_complaint("merge.participation = 0.0\n", {"expected a number above 0 up to 1"});
  expect_complaint("[[sweep.zip]]\nmodel.hidden = [[4], 4]\n", {"a.toml:3:16: model.hidden = 4: expected a list"});
  expect_complaint("seed = -1\n", {"seed = -1"});
}

TEST(Expand, a_key_on_two_axes_is_refused) {
  expect_complaint("[sweep.grid]\nseed = [0, 1]\n[[sweep.zip]]\nseed = [2, 3]\n", {"a.toml:5:8", "seed", "two axes"});
  expect_complaint("[[sweep.zip]]\nseed = [0, 1]\n[[sweep.zip]]\nseed = [2, 3]\n", {"a.toml:5:8", "seed", "two axes"});
}

TEST(Expand, a_value_that_stands_twice_on_an_axis_is_refused) {
  expect_complaint("[sweep.grid]\nseed = [0, 1, 0]\n", {"a.toml:3:8", "seed", "0 stands twice"});
}

TEST(Expand, how_to_run_cannot_be_an_axis) {
  expect_complaint("[sweep.grid]\nrun.threads = [1, 2]\n",
                   {"a.toml:3:15", "run.threads", "how to run cannot be an axis"});
  expect_complaint("[[sweep.zip]]\nrun.output = [\"a\", \"b\"]\n", {"a.toml:3:14", "run.output"});
}

TEST(Expand, the_name_cannot_be_an_axis) {
  EXPECT_NE(config_complaint("[sweep.grid]\nname = [\"a\", \"b\"]\n"), "accepted");
}

TEST(Expand, zipped_lists_of_different_lengths_are_refused) {
  expect_complaint("[[sweep.zip]]\nfleet.robots = [1, 2]\nseed = [0, 1, 2]\n",
                   {"a.toml:4:8: sweep.zip.0.seed = [0, 1, 2]", "expected 2 values, as for fleet.robots"});
}

TEST(Expand, an_axis_without_values_is_refused) {
  expect_complaint("[sweep.grid]\nseed = []\n", {"a.toml:3:8: sweep.grid.seed = []: an axis takes a list of values"});
  expect_complaint("[[sweep.zip]]\nseed = []\n", {"a.toml:3:8", "an axis takes a list of values"});
}

TEST(Expand, an_axis_that_is_no_list_is_refused) {
  expect_complaint("[sweep.grid]\nseed = 3\n", {"a.toml:3:8: sweep.grid.seed = 3: an axis takes a list of values"});
  expect_complaint("[[sweep.zip]]\nseed = 3\n", {"a.toml:3:8", "an axis takes a list of values"});
  expect_complaint("sweep.grid = 3\n", {"a.toml:2:14: sweep.grid = 3"});
  expect_complaint("[sweep]\nzip = []\n", {"a.toml:3:7: sweep.zip = []"});
}

TEST(Expand, a_misspelt_kind_of_axis_is_refused) {
  expect_complaint("[sweep.gird]\nseed = [0, 1]\n", {"a.toml:3:8: sweep.gird.seed = [0, 1]: unknown key"});
  expect_complaint("[sweep]\nseed = [0, 1]\n", {"a.toml:3:8: sweep.seed = [0, 1]: unknown key"});
}

// [sweep.zip] for [[sweep.zip]]: one table of zipped keys, not an array of them.
TEST(Expand, zipped_keys_in_a_table_of_their_own_are_refused) {
  expect_complaint("[sweep.zip]\nseed = [0, 1]\n", {"a.toml:3:8: sweep.zip.seed"});
  expect_complaint("[sweep.zip]\nany.seed = [0, 1]\n", {"a.toml:3:12: sweep.zip.any.seed"});
}

TEST(Expand, a_configuration_that_results_cannot_hold_is_refused_before_anything_runs) {
  std::string seeds;
  for (int seed = 10'000; seed < 20'000; ++seed) seeds += std::to_string(seed) + ", ";
  expect_complaint("[sweep.grid]\nseed = [" + seeds + "]\n", {"characters", "several sweeps"});
}

TEST(Expand, finetuning_on_data_that_are_not_held_out_is_refused_before_anything_runs) {
  const std::string text = "instruments.finetune_steps = 5\ndata.held_out = 0.0\n";
  expect_complaint(text, {"a.toml:2", "instruments.finetune_steps = 5", "data.held_out"});
  expect_complaint(text + "merge.method = \"local\"\n", {"accepted"});
  expect_complaint("instruments.finetune_steps = 5\n", {"accepted"});
}

TEST(Expand, a_cell_knows_what_its_method_moves) {
  const Sweep sweep = expand_text(
      "merge.fleet-merge.point = \"simplex\"\nmerge.best-of.candidates = [\"average\", \"sinkhorn-data\"]\n"
      "merge.regression.align = \"none\"\n[sweep.grid]\nmerge.method = [\"average\", \"git-rebasin\", "
      "\"fleet-merge\", \"best-of\", \"regression\", \"local\"]\n");
  std::vector<std::optional<Exchange>> exchanges;
  for (const Cell& cell : sweep.cells) exchanges.push_back(cell.exchange);
  EXPECT_EQ(exchanges, (std::vector<std::optional<Exchange>>{Exchange::kSums, Exchange::kInTurn, Exchange::kAllModels,
                                                             Exchange::kAllModels, Exchange::kSums, std::nullopt}));
}

TEST(Precision, is_refused_where_what_rounding_loses_cannot_be_kept) {
  const std::string eight = "merge.precision = \"int8\"\n";
  expect_complaint(eight + "merge.method = \"average\"\nmerge.average.weighted = false\nprivacy.clip = 1.0\n",
                   {"a.toml:2:", "merge.precision", "privacy", "float32"});
  const Settings linear =
      parse_toml("workload = \"quiet\"\nmerge.method = \"gl\"\ntrain.epochs = 1\n" + eight, "a.toml");
  expect_says(complaint([&] { (void)expand_settings(linear); }), {"a.toml:4:", "merge.precision", "gl", "basis"});
  expect_complaint(
      eight + "merge.method = \"average\"\nmerge.participation = 0.5\nmerge.hand_back = \"participants\"\n",
      {"a.toml:2:", "merge.precision", "merge.hand_back", "float32"});
  expect_complaint("merge.precision = \"int4\"\n", {"a.toml:2:", "\"int4\"", "\"int8\""});
}

/// A key that came later leaves cells' names as they were, at the value that is as without it.
TEST(Precision, of_whole_floats_is_no_part_of_a_name) {
  const auto id = [](const std::string& value) {
    const std::string key = value.empty() ? "" : "merge.precision = \"" + value + "\"\n";
    return expand_text("merge.method = \"average\"\n" + key).cells.front().id;
  };
  EXPECT_EQ(id("float32"), id(""));
  EXPECT_NE(id("int8"), id(""));
  EXPECT_NE(id("int8"), id("bfloat16"));
}

TEST(RoundsAfter, how_they_merge_is_part_of_a_name_where_there_are_any) {
  const auto id = [](int rounds, const std::string& body) {
    const std::string key = body.empty() ? "" : "merge.after.body = \"" + body + "\"\n";
    const std::string text = cat("merge.method = \"regression\"\nmerge.rounds_after = ", rounds, "\n", key);
    return expand_text(text).cells.front().id;
  };
  EXPECT_EQ(id(0, "regression"), id(0, ""));
  EXPECT_EQ(id(2, "auto"), id(2, ""));
  EXPECT_NE(id(2, "average"), id(2, ""));
  EXPECT_NE(id(2, "regression"), id(2, "average"));
}

TEST(CommonTraining, is_that_of_cells_which_differ_in_what_follows_it) {
  const auto names = [](const std::string& text) {
    Worlds worlds;
    const Sweep sweep = expand(parse_toml("workload = \"toy\"\n" + text, "a.toml"), "name", kWorlds, worlds);
    std::vector<std::string> each;
    for (const Cell& cell : sweep.cells) each.push_back(cell.training);
    return each;
  };
  const auto alike = [&](const std::string& text) {
    const std::vector<std::string> all = names("merge.every_epochs = 0\n" + text);
    return !all.front().empty() && std::ranges::count(all, all.front()) == std::ssize(all);
  };
  EXPECT_TRUE(alike(R"(sweep.grid.merge.method = ["average", "regression", "auto", "local", "scaffold"])"));
  EXPECT_TRUE(alike(R"(sweep.grid.merge.regression.ridge = [0.1, 1.0]
                       merge.method = "regression")"));
  EXPECT_TRUE(alike("sweep.grid.merge.rounds_after = [0, 3]"));
  EXPECT_TRUE(
      alike("sweep.grid.privacy.clip = [0.0, 1.0]\nmerge.method = \"average\"\n"
            "merge.average.weighted = false"));
  EXPECT_TRUE(alike("sweep.grid.merge.hand_back = [\"all\", \"participants\"]"));
  for (const std::string axis :
       {"seed = [0, 1]", "fleet.robots = [2, 3]", "train.epochs = [1, 2]", "toy.size = [1, 2]",
        "fleet.alpha = [1.0, 2.0]", "toy.place = [\"here\", \"there\"]", "merge.participation = [0.5, 1.0]",
        "merge.participants = [1, 2]", "merge.dropped = [0.0, 0.5]", "merge.late = [0.0, 0.5]",
        "merge.moments = [\"reset\", \"keep\"]", "train.robots = [\"all\", \"participants\"]",
        "evaluate.local = [\"last\", \"never\"]"}) {
    EXPECT_FALSE(alike("sweep.grid." + axis)) << axis;
  }
  // The reference line trains and tests all robots, whatever the keys say.
  EXPECT_FALSE(alike(R"(sweep.grid.merge.method = ["average", "local"]
                        train.robots = "participants")"));
  EXPECT_FALSE(alike(R"(sweep.grid.merge.method = ["average", "local"]
                        merge.late = 0.5)"));
  EXPECT_FALSE(alike(R"(sweep.grid.merge.method = ["average", "local"]
                        evaluate.local = "never")"));
  EXPECT_FALSE(alike(R"(sweep.grid.merge.method = ["average", "regression"]
                        run.share_training = false)"));
  const std::vector<std::string> nobody(2, "");
  EXPECT_EQ(names("merge.every_epochs = 1\nsweep.grid.merge.method = [\"average\", \"regression\"]"), nobody);
  EXPECT_EQ(names("merge.every_epochs = 0\nsweep.grid.merge.method = [\"average\", \"joint\"]"), nobody);
}

/// Nobody waits: groups that begin beside the first of each training train as well.
TEST(CommonTraining, is_done_by_the_first_of_each_and_by_who_begins_beside_them) {
  const Sweep sweep = expand_text(R"(merge.every_epochs = 0
                                     sweep.grid.fleet.alpha = [0.1, 1.0]
                                     sweep.grid.merge.method = ["average", "regression", "auto", "joint"])");
  std::vector<std::size_t> todo(sweep.cells.size());
  std::iota(todo.begin(), todo.end(), std::size_t{0});
  const SweepDirectory nowhere("there-is-no-such-sweep");
  for (const auto& [groups, expected] : {std::pair{1, 4}, std::pair{4, 4}, std::pair{6, 6}, std::pair{99, 8}}) {
    const std::vector<bool> first = trains(sweep, todo, nowhere, groups);
    EXPECT_EQ(std::ranges::count(first, true), expected) << groups << " groups";
  }
}

}  // namespace
}  // namespace fleet
