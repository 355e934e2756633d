#include "sweep/directory.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "io/results.hpp"
#include "sweep/claims.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

using Texts = std::vector<std::string>;

/// The message of the Error that `act` throws.
template <class Act>
std::string complaint(Act act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

/// A plan of cells "c0", "c1" ... on an axis of seeds.
Sweep plan(int cells, const std::string& config) {
  Sweep sweep{.name = "sweep", .config = config};
  for (std::int64_t i = 0; i < cells; ++i) {
    Cell cell;
    cell.id = cat("c", i);
    cell.axes = {{"merge.method", Value(std::string("average"))}, {"seed", Value(i)}};
    sweep.cells.push_back(std::move(cell));
  }
  return sweep;
}

class SweepDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "directory_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    scratch_ = pattern;
  }
  void TearDown() override { fs::remove_all(scratch_); }

  static std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void finish(const fs::path& path, const std::string& id, const std::string& reason = "") {
    Provenance provenance;
    for (const char* key : {"fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "hosts", "command_line",
                            "started", "finished"}) {
      provenance[key] = "x";
    }
    write_cell_file(path, "sweep", "config", CellRecord{.id = id, .reason = reason}, provenance);
  }
  void finish(const std::string& id) const { finish(directory().done_file(id), id); }
  void fail(const std::string& id, const std::string& reason) const { finish(directory().failed_file(id), id, reason); }
  void run(const std::string& id, const std::string& who) const { std::ofstream(directory().running_file(id)) << who; }

  SweepDirectory directory() const { return SweepDirectory(scratch_ / "results" / "sweep"); }

  fs::path scratch_;
};

TEST_F(SweepDirectoryTest, prepared_again_for_the_same_sweep_it_keeps_everything) {
  const Sweep sweep = plan(2, "seed = 0\n");
  directory().prepare(sweep, false);
  finish("c0");
  const std::string before = slurp(directory().done_file("c0"));
  directory().prepare(sweep, false);
  EXPECT_EQ(slurp(directory().done_file("c0")), before);
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "seed = 0\n");
  EXPECT_EQ(directory().state("c0"), CellState::kDone);
  EXPECT_EQ(directory().status().size(), 2U);
}

TEST_F(SweepDirectoryTest, a_prepared_directory_holds_configuration_and_plan_and_nothing_else) {
  directory().prepare(plan(2, "seed = 0\n"), false);
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "seed = 0\n");
  EXPECT_EQ(slurp(directory().path() / "cells.tsv"),
            "c0\tmerge.method=\"average\" seed=0\nc1\tmerge.method=\"average\" seed=1\n");
  EXPECT_TRUE(fs::is_empty(directory().path() / "cells"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory().path()), fs::directory_iterator()), 4);
}

/// Files of dead jobs, and of those that may yet be wanted.
class LeftoversTest : public SweepDirectoryTest {
 protected:
  void leave() const {
    directory().prepare(plan(1, "seed = 0\n"), false);
    fs::create_directories(directory().models("c0"));
    for (const Texts& files : {gone_, kept_}) {
      for (const std::string& name : files) std::ofstream(directory().path() / name, std::ios::app);
    }
  }
  Texts left() const {
    Texts names;
    for (const auto& entry : fs::recursive_directory_iterator(directory().path())) {
      if (entry.is_regular_file()) names.push_back(fs::relative(entry.path(), directory().path()));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const Texts gone_{"queue.AbCdEf", "sweep.toml.host.7.tmp", "cells/c0.h5.host.7.tmp", "cells/c0.checkpoint.host.7.tmp",
                    "models/c0/merged.h5.host.7.tmp"};
  const Texts kept_{"cells/c0.checkpoint", "cells/c0.checkpoint.old",
                    "cells/c0.running",    "models/c0/merged.h5",
                    "cells/queue.c0",      "cells.lock",
                    "cells.tsv",           "runs.tsv",
                    "sweep.toml"};
};

TEST_F(LeftoversTest, are_swept_when_nobody_is_there) {
  leave();
  directory().prepare(plan(1, "seed = 0\n"), false);
  Texts kept = kept_;
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(left(), kept);
}

TEST_F(LeftoversTest, stay_as_long_as_anybody_is_there_who_may_have_written_them) {
  leave();
  const Texts all = left();
  auto another = directory().prepare(plan(1, "seed = 0\n"), false);
  leave();
  {
    const CellClaims its_group(directory().path());
    another.reset();  // its first rank has ended, another works on
    directory().prepare(plan(1, "seed = 0\n"), false);
    EXPECT_EQ(left(), all);
  }
  const auto third = directory().prepare(plan(1, "seed = 0\n"), false);
  EXPECT_LT(left().size(), all.size());
  leave();
  directory().prepare(plan(1, "seed = 0\n"), false);
  EXPECT_EQ(left(), all) << "he who has swept is there himself";
}

TEST_F(LeftoversTest, are_not_touched_by_who_is_refused) {
  leave();
  const Texts all = left();
  EXPECT_THROW((void)directory().prepare(plan(1, "seed = 1\n"), false), ConfigError);
  EXPECT_EQ(left(), all);
}

TEST_F(SweepDirectoryTest, cells_go_from_pending_over_running_to_failed_and_done) {
  directory().prepare(plan(1, ""), false);
  EXPECT_EQ(directory().state("c0"), CellState::kPending);
  run("c0", "host");
  EXPECT_EQ(directory().state("c0"), CellState::kRunning);
  fail("c0", "why");
  EXPECT_EQ(directory().state("c0"), CellState::kFailed);
  finish("c0");
  EXPECT_EQ(directory().state("c0"), CellState::kDone);
}

TEST_F(SweepDirectoryTest, the_status_lists_the_cells_of_the_plan_with_labels_and_details) {
  directory().prepare(plan(4, ""), false);
  finish("c3");
  fail("c1", "robot 3, round 2: the loss is no longer finite");
  run("c2", "host, process 7, round 1 of 5");
  const std::vector<CellStatus> status = directory().status();
  ASSERT_EQ(status.size(), 4U);
  for (std::size_t i = 0; i < status.size(); ++i) {
    EXPECT_EQ(status[i].id, cat("c", i));
    EXPECT_EQ(status[i].label, cat("merge.method=\"average\" seed=", i));
  }
  EXPECT_EQ(status[0].state, CellState::kPending);
  EXPECT_EQ(status[0].detail, "");
  EXPECT_EQ(status[1].state, CellState::kFailed);
  EXPECT_EQ(status[1].detail, "robot 3, round 2: the loss is no longer finite");
  EXPECT_EQ(status[2].state, CellState::kRunning);
  EXPECT_EQ(status[2].detail, "host, process 7, round 1 of 5");
  EXPECT_EQ(status[3].state, CellState::kDone);
  EXPECT_EQ(status[3].detail, "");
}

TEST_F(SweepDirectoryTest, a_cell_that_ends_between_two_looks_is_not_said_to_run) {
  directory().prepare(plan(1, ""), false);
  fs::create_symlink("nowhere", directory().running_file("c0"));  // in the list of files, and gone when it is read
  const std::vector<CellStatus> status = directory().status();
  EXPECT_EQ(status[0].state, CellState::kPending);
  EXPECT_EQ(status[0].detail, "");
}

TEST_F(SweepDirectoryTest, another_configuration_is_refused_with_the_difference_and_changes_nothing) {
  directory().prepare(plan(2, "fleet.alpha = 1.0\nseed = 0\ntrain.epochs = 5\n"), false);
  const std::string list = slurp(directory().path() / "cells.tsv");
  const Sweep changed = plan(3, "fleet.alpha = 0.5\nseed = 0\ntoy.noise = 0.1\n");
  EXPECT_THROW(directory().prepare(changed, false), ConfigError);
  const std::string message = complaint([&] { directory().prepare(changed, false); });
  for (const std::string& part :
       {directory().path().string(), std::string("\n  - fleet.alpha = 1.0\n"), std::string("\n  - train.epochs = 5\n"),
        std::string("\n  + fleet.alpha = 0.5\n"), std::string("\n  + toy.noise = 0.1\n"), std::string("--output"),
        std::string("--accept-changes")}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is missing in: " << message;
  }
  EXPECT_EQ(message.find("seed = 0"), std::string::npos) << "what is the same is no difference: " << message;
  EXPECT_EQ(slurp(directory().path() / "cells.tsv"), list);
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "fleet.alpha = 1.0\nseed = 0\ntrain.epochs = 5\n");
}

TEST_F(SweepDirectoryTest, axes_in_another_order_are_a_difference_that_is_shown) {
  directory().prepare(plan(2, "sweep.grid.a = [1]\nsweep.grid.b = [2]\n"), false);
  const std::string message =
      complaint([&] { directory().prepare(plan(2, "sweep.grid.b = [2]\nsweep.grid.a = [1]\n"), false); });
  EXPECT_NE(message.find("sweep.grid."), std::string::npos) << message;
}

TEST_F(SweepDirectoryTest, accepted_changes_take_the_new_plan_and_keep_finished_cells) {
  directory().prepare(plan(2, "old\n"), false);
  finish("c1");
  directory().prepare(plan(3, "new\n"), true);
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "new\n");
  EXPECT_EQ(directory().status().size(), 3U);
  EXPECT_EQ(directory().state("c1"), CellState::kDone);
  EXPECT_EQ(complaint([&] { directory().prepare(plan(3, "new\n"), false); }), "accepted");
}

TEST_F(SweepDirectoryTest, cell_files_are_the_done_and_failed_ones_in_the_order_of_the_plan) {
  directory().prepare(plan(4, ""), false);
  finish("c2");
  fail("c0", "why");
  run("c1", "host");
  fail("c3", "why");
  finish("c3");       // done in a second attempt
  finish("foreign");  // left by another plan
  EXPECT_EQ(directory().cell_files(),
            (std::vector{directory().failed_file("c0"), directory().done_file("c2"), directory().done_file("c3")}));
}

TEST_F(SweepDirectoryTest, collect_joins_the_finished_cells) {
  directory().prepare(plan(3, ""), false);
  const fs::path output = scratch_ / "joined.h5";
  const std::string message = complaint([&] { directory().collect(output); });
  EXPECT_NE(message.find(directory().path().string()), std::string::npos) << message;
  EXPECT_NE(message.find("no finished cells"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(output));
  finish("c2");
  fail("c1", "why");
  directory().collect(output);
  const Table cells = Hdf5Reader(output).read_table("cells");
  EXPECT_EQ(cells.column<std::string>("id"), (Texts{"c1", "c2"}));
  EXPECT_EQ(cells.column<std::string>("status"), (Texts{"failed", "done"}));
}

TEST_F(SweepDirectoryTest, a_cells_file_copied_over_anothers_is_refused_by_both_names) {
  directory().prepare(plan(2, ""), false);
  const fs::path output = scratch_ / "joined.h5";
  finish("c0");
  fail("c1", "why");
  EXPECT_EQ(complaint([&] { directory().collect(output); }), "accepted");
  fs::remove(output);
  for (const fs::path& copy : {directory().failed_file("c1"), directory().done_file("c1")}) {
    fs::copy_file(directory().done_file("c0"), copy, fs::copy_options::overwrite_existing);
    const std::string message = complaint([&] { directory().collect(output); });
    EXPECT_NE(message.find(copy.string() + " is named after the cell c1, but holds c0"), std::string::npos) << message;
    EXPECT_FALSE(fs::exists(output));
  }
}

TEST_F(SweepDirectoryTest, what_is_no_sweep_directory_is_named) {
  for (const fs::path& path : {scratch_, scratch_ / "absent"}) {
    const SweepDirectory other(path);
    for (const std::string& message :
         {complaint([&] { (void)other.status(); }), complaint([&] { (void)other.cell_files(); }),
          complaint([&] { other.collect(scratch_ / "joined.h5"); })}) {
      EXPECT_NE(message.find(path.string() + " is not a sweep's directory"), std::string::npos) << message;
    }
  }
}

TEST_F(SweepDirectoryTest, a_damaged_plan_names_file_and_line) {
  directory().prepare(plan(2, ""), false);
  std::ofstream(directory().path() / "cells.tsv") << "c0\tlabel\nno tab here\n";
  const std::string message = complaint([&] { (void)directory().status(); });
  EXPECT_NE(message.find("cells.tsv: line 2"), std::string::npos) << message;
}

TEST_F(SweepDirectoryTest, a_damaged_file_of_a_failed_cell_is_named) {
  directory().prepare(plan(1, ""), false);
  std::ofstream(directory().failed_file("c0")) << "not HDF5";
  const std::string message = complaint([&] { (void)directory().status(); });
  EXPECT_NE(message.find(directory().failed_file("c0").string()), std::string::npos) << message;
}

// Permissions do not bind root, but nobody can make a directory below a plain file.
TEST_F(SweepDirectoryTest, a_place_that_cannot_be_written_is_named) {
  std::ofstream(scratch_ / "plain") << "no directory";
  for (const fs::path& path : {scratch_ / "plain" / "sweep", scratch_ / "plain"}) {
    const std::string message = complaint([&] { SweepDirectory(path).prepare(plan(1, ""), false); });
    EXPECT_NE(message.find("cannot create the results directory " + path.string()), std::string::npos) << message;
    EXPECT_NE(message.find("Not a directory"), std::string::npos) << message;
  }
}

TEST_F(SweepDirectoryTest, a_configuration_that_cannot_be_written_is_named) {
  fs::create_directories(directory().path() / "cells.tsv" / "inside");
  const std::string message = complaint([&] { directory().prepare(plan(1, ""), false); });
  EXPECT_NE(message.find((directory().path() / "cells.tsv").string()), std::string::npos) << message;
}

}  // namespace
}  // namespace fleet
