#include "io/results.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <fstream>
#include <set>

#include "base/error.hpp"
#include "complaint.hpp"

namespace fleet {
namespace {

const std::string kConfig = "name = \"sweep\"\n";
const std::vector<std::string> kAxes = {"merge.method", "seed"};

namespace fs = std::filesystem;

using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;
using Shape = std::vector<std::size_t>;
using Columns = std::vector<std::pair<std::string, Value>>;

constexpr std::array kTables = {"cells", "metrics", "shards", "rounds"};

Provenance provenance(const std::string& hosts) {
  return {{"fleet_version", "1.0"},
          {"git_revision", "abc"},
          {"mpi", "MPI 4"},
          {"libtorch", "2.0"},
          {"hdf5", "1.10"},
          {"blas", "OpenBLAS"},
          {"device", "cpu"},
          {"hosts", hosts},
          {"command_line", "run"},
          {"started", "2030-01-02 " + hosts},
          {"finished", "2030-01-03 " + hosts}};
}

RoundRecord round_record(int round) {
  return {.round = round,
          .epoch = 2 * round,
          .participants = 3,
          .dropped = 2,
          .late = 1,
          .merge_iterations = 40 + round,
          .metrics = {{kMergedPolicy, "test", "accuracy", 0.5 + 0.125 * round}, {0, "held-out", "größe", -1.0 / round}},
          .seconds = {.train = 1.0, .wait = 0.25, .merge = 0.5, .evaluate = 2.0, .other = 0.125},
          .bytes_moved = (std::uint64_t{1} << 40U) + static_cast<std::uint64_t>(round)};
}

CellRecord done_cell(const std::string& id, int rounds) {
  CellRecord cell{.id = id,
                  .columns = {{"merge.method", Value(std::string("average"))},
                              {"seed", Value(std::int64_t{rounds})},
                              {"fleet.alpha", Value(0.1)},
                              {"model.hidden", Value(Value::List{Value(std::int64_t{8}), Value(std::int64_t{4})})},
                              {"merge.average.weighted", Value(true)}},
                  .axes = kAxes,
                  .ranks = 2,
                  .peak_memory_mib = 12.5,
                  .histograms = {{3, 0, 1}, {}, {0, 7, 2}}};
  for (int round = 1; round <= rounds; ++round) cell.rounds.push_back(round_record(round));
  return cell;
}

CellRecord failed_cell(const std::string& id) {
  CellRecord cell{.id = id, .reason = "robot 3, round 2: the loss is no longer finite"};
  cell.columns = {{"merge.method", Value(std::string("fleet-merge"))}};
  cell.axes = kAxes;
  return cell;
}

/// A network of two tensors, one of whose axes is a group of three units.
SymmetrySpec small_symmetry() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("layers.0.weight", {3, 2});
  layout->add("layers.0.bias", {3});
  return {layout, {{"hidden", 3}}, {{.tensor = 0, .axis = 0, .group = 0}, {.tensor = 1, .axis = 0, .group = 0}}};
}

class ResultsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "results_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    output_ = directory_ / "joined.h5";
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const CellRecord& cell, const std::string& hosts = "node1") const {
    fs::path path = directory_ / (cell.id + ".h5");
    write_cell_file(path, "sweep", kConfig, cell, provenance(hosts));
    return path;
  }

  fs::path directory_;
  fs::path output_;
};

/// The rows of `table` that belong to cell `index`, renumbered as a file of one cell has them.
Table rows_of(const Table& table, std::int32_t index) {
  const Ints cells = table.column<std::int32_t>("cell");
  Table rows;
  for (const auto& [name, column] : table.columns()) {
    std::visit(
        [&, &key = name](const auto& values) {
          std::decay_t<decltype(values)> chosen;
          for (std::size_t i = 0; i < values.size(); ++i) {
            if (cells[i] == index) chosen.push_back(values[i]);
          }
          rows.add(key, std::move(chosen));
        },
        column);
  }
  rows.fill("cell", 0);
  return rows;
}

std::set<std::string> names_of(const Table& table) {
  std::set<std::string> names;
  for (const auto& [name, column] : table.columns()) names.insert(name);
  return names;
}

TEST_F(ResultsTest, joined_tables_are_the_parts_with_their_cells_renumbered) {
  const std::vector<fs::path> files{write(done_cell("b", 3)), write(done_cell("a", 1)), write(done_cell("c", 2))};
  join_cell_files(files, kConfig, kAxes, output_);
  const Hdf5Reader joined(output_);
  for (const char* name : kTables) {
    const Table whole = joined.read_table(name);
    std::size_t rows = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const Table part = Hdf5Reader(files[i]).read_table(name);
      EXPECT_EQ(rows_of(whole, static_cast<std::int32_t>(i)).columns(), part.columns()) << name << " of cell " << i;
      rows += part.rows();
    }
    EXPECT_EQ(whole.rows(), rows) << name;
  }
  EXPECT_EQ(joined.read_table("cells").column<std::string>("id"), (Texts{"b", "a", "c"}));
  EXPECT_EQ(joined.read_table("cells").column<std::int32_t>("cell"), (Ints{0, 1, 2}));
}

TEST_F(ResultsTest, a_join_of_one_file_has_its_tables_and_attributes) {
  const fs::path file = write(done_cell("a", 2));
  join_cell_files(std::vector{file}, kConfig, kAxes, output_);
  const Hdf5Reader part(file);
  const Hdf5Reader joined(output_);
  for (const char* name : kTables) EXPECT_EQ(joined.read_table(name).columns(), part.read_table(name).columns());
  EXPECT_EQ(joined.read_integer_attribute("/", "schema_version"), kResultsSchema);
  EXPECT_EQ(joined.read_text_attribute("/", "name"), "sweep");
  EXPECT_EQ(joined.read_text_attribute("/", "config"), kConfig);
  EXPECT_EQ(joined.read_text_attribute("cells", "axes"), "merge.method\nseed");
  for (const auto& [key, text] : provenance("node1")) EXPECT_EQ(joined.read_text_attribute("provenance", key), text);
}

TEST_F(ResultsTest, a_cell_file_holds_what_was_recorded) {
  const Hdf5Reader file(write(done_cell("a", 2)));
  const Table cells = file.read_table("cells");
  EXPECT_EQ(cells.column<std::string>("status"), Texts{"done"});
  EXPECT_EQ(cells.column<std::string>("reason"), Texts{""});
  EXPECT_EQ(cells.column<std::string>("merge.method"), Texts{"average"});
  EXPECT_EQ(cells.column<std::int64_t>("seed"), Longs{2});
  EXPECT_EQ(cells.column<double>("fleet.alpha"), Reals{0.1});
  EXPECT_EQ(cells.column<std::string>("model.hidden"), Texts{"[8, 4]"});
  EXPECT_EQ(cells.column<std::int64_t>("merge.average.weighted"), Longs{1});
  EXPECT_EQ(cells.column<std::int32_t>("ranks"), Ints{2});
  EXPECT_EQ(cells.column<std::int32_t>("rounds"), Ints{2});
  EXPECT_EQ(cells.column<double>("seconds_total"), Reals{2 * 3.875});
  EXPECT_EQ(cells.column<double>("seconds_wait"), Reals{0.5});
  EXPECT_EQ(cells.column<std::int64_t>("bytes_moved"), Longs{(std::int64_t{2} << 40U) + 3});
  EXPECT_EQ(cells.column<double>("peak_memory_mib"), Reals{12.5});

  const Table metrics = file.read_table("metrics");
  EXPECT_EQ(metrics.column<std::int32_t>("round"), (Ints{1, 1, 2, 2}));
  EXPECT_EQ(metrics.column<std::int32_t>("epoch"), (Ints{2, 2, 4, 4}));
  EXPECT_EQ(metrics.column<std::int32_t>("robot"), (Ints{kMergedPolicy, 0, kMergedPolicy, 0}));
  EXPECT_EQ(metrics.column<std::string>("split"), (Texts{"test", "held-out", "test", "held-out"}));
  EXPECT_EQ(metrics.column<std::string>("metric"), (Texts{"accuracy", "größe", "accuracy", "größe"}));
  EXPECT_EQ(metrics.column<double>("value"), (Reals{0.625, -1.0, 0.75, -0.5}));

  const Table shards = file.read_table("shards");
  EXPECT_EQ(shards.column<std::int32_t>("robot"), (Ints{0, 0, 0, 2, 2, 2}));
  EXPECT_EQ(shards.column<std::int32_t>("label"), (Ints{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(shards.column<std::int32_t>("samples"), (Ints{3, 0, 1, 0, 7, 2}));

  const Table rounds = file.read_table("rounds");
  EXPECT_EQ(rounds.column<std::int32_t>("participants"), (Ints{3, 3}));
  EXPECT_EQ(rounds.column<std::int32_t>("dropped"), (Ints{2, 2}));
  EXPECT_EQ(rounds.column<std::int32_t>("late"), (Ints{1, 1}));
  EXPECT_EQ(rounds.column<std::int32_t>("merge_iterations"), (Ints{41, 42}));
  EXPECT_EQ(rounds.column<double>("seconds_evaluate"), (Reals{2.0, 2.0}));
}

TEST_F(ResultsTest, failed_cells_join_done_ones) {
  for (const bool failed_first : {false, true}) {
    std::vector<fs::path> files{write(done_cell("a", 2)), write(failed_cell("b"))};
    if (failed_first) std::swap(files[0], files[1]);
    join_cell_files(files, kConfig, kAxes, output_);
    const Hdf5Reader joined(output_);
    const Table cells = joined.read_table("cells");
    const std::size_t failed = failed_first ? 0 : 1;
    EXPECT_EQ(cells.column<std::string>("status")[failed], "failed");
    EXPECT_EQ(cells.column<std::string>("status")[1 - failed], "done");
    EXPECT_EQ(cells.column<std::string>("reason")[failed], failed_cell("b").reason);
    EXPECT_EQ(cells.column<std::string>("reason")[1 - failed], "");
    EXPECT_EQ(joined.read_table("metrics").column<std::int32_t>("cell"), Ints(4, static_cast<int>(1 - failed)));
  }
}

TEST_F(ResultsTest, failed_cells_alone_join) {
  const std::vector<fs::path> files{write(failed_cell("a")), write(failed_cell("b"))};
  join_cell_files(files, kConfig, kAxes, output_);
  EXPECT_EQ(Hdf5Reader(output_).read_table("cells").column<std::string>("status"), (Texts{"failed", "failed"}));
  EXPECT_EQ(Hdf5Reader(output_).read_table("metrics").rows(), 0U);
}

TEST_F(ResultsTest, columns_that_only_some_cells_have_are_filled_for_the_others) {
  CellRecord left = done_cell("left", 1);
  left.columns = {{"both", Value(std::string("l"))}, {"temperature", Value(0.5)}, {"kind", Value(std::string("k"))}};
  CellRecord right = done_cell("right", 1);
  right.columns = {{"steps", Value(std::int64_t{7})}, {"both", Value(std::string("r"))}};
  join_cell_files(std::vector{write(left), write(right)}, kConfig, kAxes, output_);
  const Table cells = Hdf5Reader(output_).read_table("cells");
  EXPECT_EQ(cells.column<std::string>("both"), (Texts{"l", "r"}));
  EXPECT_EQ(cells.column<double>("temperature")[0], 0.5);
  EXPECT_TRUE(std::isnan(cells.column<double>("temperature")[1]));
  EXPECT_EQ(cells.column<std::string>("kind"), (Texts{"k", ""}));
  EXPECT_EQ(cells.column<std::int64_t>("steps"), (Longs{0, 7}));
}

TEST_F(ResultsTest, an_axis_that_came_later_is_filled_from_the_settings_of_earlier_cells) {
  CellRecord early = done_cell("early", 1);
  early.settings["train.batch_size"].value = std::int64_t{32};
  CellRecord late = done_cell("late", 2);
  late.columns.insert(late.columns.begin(), {"train.batch_size", Value(std::int64_t{64})});
  join_cell_files(std::vector{write(early), write(late)}, kConfig, {"train.batch_size", "merge.method"}, output_);
  const Hdf5Reader joined(output_);
  EXPECT_EQ(joined.read_table("cells").column<std::int64_t>("train.batch_size"), (Longs{32, 64}));
  EXPECT_EQ(joined.read_text_attribute("cells", "axes"), "train.batch_size\nmerge.method");
  // All cells may be from before.
  join_cell_files(std::vector{write(early)}, kConfig, {"train.batch_size"}, output_);
  EXPECT_EQ(Hdf5Reader(output_).read_table("cells").column<std::int64_t>("train.batch_size"), (Longs{32}));
}

// An axis [1, 0.5] over a number that only some methods read comes to the others as it is written.
TEST_F(ResultsTest, an_axis_written_in_integers_and_reals_joins_as_reals) {
  std::vector<fs::path> files;
  const std::vector<Value> written{Value(std::int64_t{1}), Value(0.5), Value(std::int64_t{2})};
  for (std::size_t i = 0; i < written.size(); ++i) {
    CellRecord cell = done_cell(cat("cell", i), 1);
    cell.columns = {{"temperature", written[i]}};
    files.push_back(write(cell));
  }
  ASSERT_EQ(complaint([&] { join_cell_files(files, kConfig, kAxes, output_); }), "accepted");
  const Table cells = Hdf5Reader(output_).read_table("cells");
  EXPECT_EQ(cells.column<double>("temperature"), (Reals{1.0, 0.5, 2.0}));
}

TEST_F(ResultsTest, weights_permutations_and_bases_go_with_their_cell) {
  const SymmetrySpec symmetry = small_symmetry();
  ParamVector merged(symmetry.layout());
  for (std::size_t i = 0; i < merged.flat().size(); ++i) merged.flat()[i] = 0.5F * static_cast<float>(i);
  CellRecord cell = done_cell("with", 1);
  cell.merged = &merged;
  cell.symmetry = &symmetry;
  cell.elements = {{0, {{0, 1, 2}}}, {11, {{2, 0, 1}}}};
  RowMatrix basis(3, 3);
  basis << 1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F, 7.0F, 8.0F, 10.0F;
  cell.bases = {{4, {basis}}};
  join_cell_files(std::vector{write(done_cell("without", 1)), write(cell), write(failed_cell("failed"))}, kConfig,
                  kAxes, output_);

  const Hdf5Reader joined(output_);
  EXPECT_EQ(joined.names_in("weights"), Texts{"1"});
  EXPECT_EQ(joined.names_in("permutations"), Texts{"1"});
  EXPECT_EQ(joined.names_in("permutations/1"), (Texts{"0", "11"}));
  Shape shape;
  EXPECT_EQ(joined.read_floats("weights/1/layers.0.weight", shape),
            (std::vector<float>{0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 2.5F}));
  EXPECT_EQ(shape, (Shape{3, 2}));
  EXPECT_EQ(joined.read_floats("weights/1/layers.0.bias", shape), (std::vector<float>{3.0F, 3.5F, 4.0F}));
  EXPECT_EQ(joined.read_integers("permutations/1/0/hidden", shape), (Ints{0, 1, 2}));
  EXPECT_EQ(joined.read_integers("permutations/1/11/hidden", shape), (Ints{2, 0, 1}));
  EXPECT_EQ(joined.names_in("bases"), Texts{"1"});
  EXPECT_EQ(joined.read_floats("bases/1/4/hidden", shape), std::vector<float>(basis.data(), basis.data() + 9));
  EXPECT_EQ(shape, (Shape{3, 3}));
}

TEST_F(ResultsTest, what_instruments_measured_goes_with_its_cell_and_takes_no_place_where_none_was_on) {
  CellRecord cell = done_cell("with", 2);
  cell.rounds[0].measurements = {{.instrument = "barrier",
                                  .subject = "none",
                                  .split = "test",
                                  .metric = "loss",
                                  .robot = 0,
                                  .other = 4,
                                  .value = 2}};
  cell.rounds[1].measurements = {
      {.instrument = "finetune", .subject = "merged", .metric = "accuracy", .at = 20, .value = 0.5}};
  const fs::path without = write(done_cell("without", 1));
  EXPECT_FALSE(Hdf5Reader(without).has("instruments"));
  join_cell_files(std::vector{without, write(cell)}, kConfig, kAxes, output_);
  const Table table = Hdf5Reader(output_).read_table("instruments");
  EXPECT_EQ(table.column<std::int32_t>("cell"), (Ints{1, 1}));
  EXPECT_EQ(table.column<std::int32_t>("round"), (Ints{1, 2}));
  EXPECT_EQ(table.column<std::string>("instrument"), (Texts{"barrier", "finetune"}));
  EXPECT_EQ(table.column<std::string>("subject"), (Texts{"none", "merged"}));
  EXPECT_EQ(table.column<std::string>("split"), (Texts{"test", ""}));
  EXPECT_EQ(table.column<std::string>("metric"), (Texts{"loss", "accuracy"}));
  EXPECT_EQ(table.column<std::int32_t>("robot"), (Ints{0, -1}));
  EXPECT_EQ(table.column<std::int32_t>("other"), (Ints{4, -1}));
  EXPECT_TRUE(std::isnan(table.column<double>("at")[0]));
  EXPECT_EQ(table.column<double>("at")[1], 20.0);
  EXPECT_EQ(table.column<double>("value"), (Reals{2.0, 0.5}));
}

TEST_F(ResultsTest, provenance_keeps_every_different_value_and_the_span_of_time) {
  const std::vector<fs::path> files{write(done_cell("a", 1), "node2"), write(done_cell("b", 1), "node1"),
                                    write(done_cell("c", 1), "node2"), write(done_cell("d", 1), "node")};
  join_cell_files(files, kConfig, kAxes, output_);
  const Hdf5Reader joined(output_);
  EXPECT_EQ(joined.read_text_attribute("provenance", "hosts"), "node2\nnode1\nnode");
  EXPECT_EQ(joined.read_text_attribute("provenance", "mpi"), "MPI 4");
  EXPECT_EQ(joined.read_text_attribute("provenance", "started"), "2030-01-02 node");
  EXPECT_EQ(joined.read_text_attribute("provenance", "finished"), "2030-01-03 node2");
}

TEST_F(ResultsTest, columns_have_the_names_that_readers_rely_on) {
  const Hdf5Reader file(write(failed_cell("a")));
  EXPECT_EQ(names_of(file.read_table("metrics")),
            (std::set<std::string>{"cell", "round", "epoch", "robot", "split", "metric", "value"}));
  EXPECT_EQ(names_of(file.read_table("shards")), (std::set<std::string>{"cell", "robot", "label", "samples"}));
  EXPECT_EQ(
      names_of(file.read_table("rounds")),
      (std::set<std::string>{"cell", "round", "epoch", "participants", "dropped", "late", "seconds_train",
                             "seconds_wait", "seconds_merge", "seconds_evaluate", "seconds_other", "processor_seconds",
                             "bytes_moved", "merge_iterations", "merge_steps", "merge_episodes"}));
  EXPECT_EQ(names_of(file.read_table("traffic")),
            (std::set<std::string>{"cell", "round", "cargo", "sent", "received"}));
}

TEST_F(ResultsTest, another_schema_is_refused_by_file_and_version_and_nothing_is_left) {
  const fs::path other = directory_ / "other.h5";
  {
    Hdf5Writer writer(other);
    writer.write_attribute("/", "schema_version", kResultsSchema + 1);
    writer.commit();
  }
  const std::vector<fs::path> files{write(done_cell("a", 1)), other};
  const std::string message = complaint([&] { join_cell_files(files, kConfig, kAxes, output_); });
  EXPECT_NE(message.find(other.string()), std::string::npos) << message;
  EXPECT_NE(message.find(cat("schema version ", kResultsSchema + 1)), std::string::npos) << message;
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2);
}

TEST_F(ResultsTest, a_file_that_is_damaged_foreign_or_missing_is_named_and_nothing_is_left) {
  const fs::path good = write(done_cell("a", 1));
  const fs::path bad = directory_ / "bad.h5";
  const auto expect_named = [&] {
    const std::string message = complaint([&] { join_cell_files(std::vector{good, bad}, kConfig, kAxes, output_); });
    EXPECT_NE(message.find(bad.string()), std::string::npos) << message;
    EXPECT_FALSE(fs::exists(output_));
  };
  expect_named();
  fs::copy_file(good, bad);
  fs::resize_file(bad, fs::file_size(bad) / 2);
  expect_named();
  fs::remove(bad);
  {
    Hdf5Writer writer(bad);  // HDF5, but none of ours
    writer.write_array("array", std::vector<float>{1.0F}, Shape{1});
    writer.commit();
  }
  expect_named();
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2);
}

TEST_F(ResultsTest, a_join_of_nothing_is_refused) {
  EXPECT_NE(complaint([&] { join_cell_files({}, kConfig, kAxes, output_); }).find("no finished cells"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(output_));
}

TEST_F(ResultsTest, a_place_that_cannot_be_written_is_named) {
  const fs::path absent = directory_ / "absent" / "a.h5";
  const std::string message =
      complaint([&] { write_cell_file(absent, "sweep", "", done_cell("a", 1), provenance("node1")); });
  EXPECT_NE(message.find(absent.string()), std::string::npos) << message;
}

}  // namespace
}  // namespace fleet
