#include "sweep/summary.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "io/results.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

Provenance provenance() {
  Provenance all;
  for (const char* key : {"fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "device", "hosts",
                          "command_line", "started", "finished"}) {
    all[key] = "x";
  }
  return all;
}

/// The summary of cells with these values of `key` and seeds, of accuracies 0.5, 0.51, 0.52 ...
std::string summary_of(const std::string& key, const std::vector<std::pair<Value, int>>& cells) {
  const Scratch scratch;
  const std::vector<std::string> axes{key, "seed"};
  std::vector<std::filesystem::path> files;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    CellRecord cell{.id = cat("cell", i),
                    .columns = {{"merge.method", Value(std::string("average"))},
                                {key, cells[i].first},
                                {"seed", Value(std::int64_t{cells[i].second})}},
                    .axes = axes};
    cell.rounds.push_back(
        {.round = 1, .metrics = {{kMergedPolicy, "test", "accuracy", 0.5 + 0.01 * static_cast<double>(i)}}});
    files.push_back(scratch.path() / (cell.id + ".h5"));
    write_cell_file(files.back(), "sweep", "", cell, provenance());
  }
  join_cell_files(files, "", axes, scratch.path() / "joined.h5");
  std::ostringstream out;
  print_summary(out, scratch.path() / "joined.h5");
  return out.str();
}

/// Its rows below the heading, words apart.
std::vector<std::vector<std::string>> rows_of(const std::string& summary) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(summary.substr(summary.find("---")));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::vector<std::string>& row = rows.emplace_back();
    for (std::string word; words >> word;) row.push_back(word);
  }
  return rows;
}

TEST(Summary, cells_of_one_value_and_several_seeds_are_pooled) {
  const std::string summary = summary_of("train.learning_rate", {{Value(0.01), 0}, {Value(0.01), 1}});
  EXPECT_NE(summary.find("over 2 seeds"), std::string::npos) << summary;
  const auto rows = rows_of(summary);
  ASSERT_EQ(rows.size(), 1U) << summary;
  EXPECT_EQ(rows[0], (std::vector<std::string>{"0.01", "50.5", "±", "0.7"}));
}

TEST(Summary, values_that_differ_at_all_are_rows_of_their_own_and_shown_so) {
  for (const auto& [one, other] : std::vector<std::pair<Value, Value>>{
           {0.01, 0.010000001},
           {1.0, 1.0 + std::numeric_limits<double>::epsilon()},
           {1e-300, 2e-300},
           {std::int64_t{1'000'000}, std::int64_t{1'000'001}},
           {std::int64_t{9007199254740992}, std::int64_t{9007199254740993}},
           {std::string("a"), std::string("b")},
           {Value::List{std::int64_t{8}}, Value::List{std::int64_t{8}, std::int64_t{8}}}}) {
    const std::string summary = summary_of("toy.key", {{one, 0}, {other, 0}});
    EXPECT_EQ(summary.find("seeds"), std::string::npos) << summary;
    const auto rows = rows_of(summary);
    ASSERT_EQ(rows.size(), 2U) << summary;
    EXPECT_NE(std::vector(rows[0].begin(), rows[0].end() - 1), std::vector(rows[1].begin(), rows[1].end() - 1))
        << summary;
  }
}

}  // namespace
}  // namespace fleet
