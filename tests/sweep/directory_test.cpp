#include "sweep/directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "io/results.hpp"
#include "sweep/sweep_directory.hpp"

namespace fleet {
namespace {

TEST_F(SweepDirectoryTest, prepared_again_for_the_same_sweep_it_keeps_everything) {
  const Sweep sweep = plan(2, "seed = 0\n");
  directory().prepare(sweep);
  finish("c0");
  const std::string before = slurp(directory().done_file("c0"));
  directory().prepare(sweep);
  EXPECT_EQ(slurp(directory().done_file("c0")), before);
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "seed = 0\n");
  EXPECT_EQ(directory().state("c0"), CellState::kDone);
  EXPECT_EQ(directory().status().size(), 2U);
}

TEST_F(SweepDirectoryTest, a_prepared_directory_holds_configuration_and_plan_and_nothing_else) {
  directory().prepare(plan(2, "seed = 0\n"));
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "seed = 0\n");
  EXPECT_EQ(slurp(directory().path() / "cells.tsv"),
            "c0\tmerge.method=\"average\" seed=0\nc1\tmerge.method=\"average\" seed=1\n");
  EXPECT_TRUE(fs::is_empty(directory().path() / "cells"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory().path()), fs::directory_iterator()), 4);
}

TEST_F(SweepDirectoryTest, may_itself_be_a_link_to_another_place) {
  fs::create_directories(scratch_ / "results");
  fs::create_directories(scratch_ / "large disk");
  fs::create_directory_symlink(scratch_ / "large disk", directory().path());
  for (int time = 0; time < 2; ++time) {
    directory().prepare(plan(1, "seed = 0\n"));
    directory().note_run("now", 1, 1, {}, false);
  }
  EXPECT_TRUE(fs::exists(scratch_ / "large disk" / "cells.tsv"));
}

TEST_F(SweepDirectoryTest, the_list_of_runs_is_written_into_no_link_and_no_pipe) {
  directory().prepare(plan(1, ""));
  const fs::path list = directory().path() / "runs.tsv";
  std::ofstream(scratch_ / "precious") << "precious";
  fs::create_symlink(scratch_ / "precious", list);
  EXPECT_THROW(directory().note_run("now", 1, 1, {}, false), ConfigError);
  EXPECT_EQ(slurp(scratch_ / "precious"), "precious");
  fs::remove(list);
  ASSERT_EQ(mkfifo(list.c_str(), 0600), 0);
  EXPECT_THROW(directory().note_run("now", 1, 1, {}, false), Error);
}

TEST_F(SweepDirectoryTest, runs_are_listed_below_one_heading) {
  directory().prepare(plan(1, ""));
  directory().note_run("then", 1, 1, {}, true);
  directory().note_run("now", 2, 1, {}, false);
  EXPECT_EQ(slurp(directory().path() / "runs.tsv").find("started"), 0U);
  EXPECT_EQ(directory().last_run().front(), (std::pair<std::string, std::string>("started", "now")));
  const std::string text = slurp(directory().path() / "runs.tsv");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(SweepDirectoryTest, joined_results_lie_beside_it_whatever_it_is_called) {
  const fs::path here = fs::current_path();
  EXPECT_EQ(SweepDirectory("out").joined_file(), "out.h5");
  EXPECT_EQ(SweepDirectory("a/out").joined_file(), "a/out.h5");
  EXPECT_EQ(SweepDirectory(".").joined_file(), here.string() + ".h5");
  EXPECT_EQ(SweepDirectory("..").joined_file(), here.parent_path().string() + ".h5");
}

TEST_F(SweepDirectoryTest, cells_go_from_pending_over_running_to_failed_and_done) {
  directory().prepare(plan(1, ""));
  EXPECT_EQ(directory().state("c0"), CellState::kPending);
  run("c0", "host");
  EXPECT_EQ(directory().state("c0"), CellState::kRunning);
  fail("c0", "why");
  EXPECT_EQ(directory().state("c0"), CellState::kFailed);
  finish("c0");
  EXPECT_EQ(directory().state("c0"), CellState::kDone);
}

TEST_F(SweepDirectoryTest, the_status_lists_the_cells_of_the_plan_with_labels_and_details) {
  directory().prepare(plan(4, ""));
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
  directory().prepare(plan(1, ""));
  fs::create_symlink("nowhere", directory().running_file("c0"));  // in the list of files, and gone when it is read
  const std::vector<CellStatus> status = directory().status();
  EXPECT_EQ(status[0].state, CellState::kPending);
  EXPECT_EQ(status[0].detail, "");
}

TEST_F(SweepDirectoryTest, another_configuration_is_refused_with_the_difference_and_changes_nothing) {
  directory().prepare(plan(2, "fleet.alpha = 1.0\nseed = 0\ntrain.epochs = 5\n"));
  const std::string list = slurp(directory().path() / "cells.tsv");
  const Sweep changed = plan(3, "fleet.alpha = 0.5\nseed = 0\ntoy.noise = 0.1\n");
  EXPECT_THROW(directory().prepare(changed), ConfigError);
  const std::string message = complaint([&] { directory().prepare(changed); });
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
  directory().prepare(plan(2, "sweep.grid.a = [1]\nsweep.grid.b = [2]\n"));
  const std::string message =
      complaint([&] { directory().prepare(plan(2, "sweep.grid.b = [2]\nsweep.grid.a = [1]\n")); });
  EXPECT_NE(message.find("sweep.grid."), std::string::npos) << message;
}

TEST_F(SweepDirectoryTest, accepted_changes_take_the_new_plan_and_keep_finished_cells) {
  directory().prepare(plan(2, "old\n"));
  finish("c1");
  directory().prepare(plan(3, "new\n"), {.accept_changes = true});
  EXPECT_EQ(slurp(directory().path() / "sweep.toml"), "new\n");
  EXPECT_EQ(directory().status().size(), 3U);
  EXPECT_EQ(directory().state("c1"), CellState::kDone);
  EXPECT_EQ(complaint([&] { directory().prepare(plan(3, "new\n")); }), "accepted");
}

TEST_F(SweepDirectoryTest, cell_files_are_the_done_and_failed_ones_in_the_order_of_the_plan) {
  directory().prepare(plan(4, ""));
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
  directory().prepare(plan(3, ""));
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
  directory().prepare(plan(2, ""));
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

TEST_F(SweepDirectoryTest, collect_writes_over_its_own_file_and_no_other) {
  directory().prepare(plan(2, ""));
  finish("c0");
  const fs::path output = scratch_ / "joined.h5";
  const auto refused = [&] {
    EXPECT_THROW(directory().collect(output), ConfigError);
    return complaint([&] { directory().collect(output); });
  };
  std::ofstream(output) << "precious";
  EXPECT_NE(refused().find(output.string() + " is there already"), std::string::npos) << refused();
  EXPECT_EQ(slurp(output), "precious");
  fs::copy_file(directory().done_file("c0"), output, fs::copy_options::overwrite_existing);
  refused();  // a cell's own file cannot be had again by collecting
  fs::remove(output);
  fs::create_symlink(directory().done_file("c0"), output);
  EXPECT_NE(refused().find("is a symbolic link"), std::string::npos) << refused();
  fs::remove(output);
  directory().collect(output);
  finish("c1");
  const std::string half = output.string() + ".fleet-host.7.tmp";
  std::ofstream(half) << "half";
  directory().collect(output);
  EXPECT_EQ(Hdf5Reader(output).read_table("cells").rows(), 2U);
  EXPECT_FALSE(fs::exists(half));
}

TEST_F(SweepDirectoryTest, what_stands_in_the_place_of_the_joined_file_is_found_before_the_run) {
  std::ofstream(scratch_ / "precious") << "precious";
  fs::create_directories(scratch_ / "results");
  fs::copy_file(scratch_ / "precious", directory().joined_file());
  EXPECT_THROW(directory().prepare(plan(1, ""), {.collect = true}), ConfigError);
  EXPECT_FALSE(fs::exists(directory().path()));
  EXPECT_EQ(complaint([&] { directory().prepare(plan(1, "")); }), "accepted") << "which does not collect";
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
  directory().prepare(plan(2, ""));
  std::ofstream(directory().path() / "cells.tsv") << "c0\tlabel\nno tab here\n";
  const std::string message = complaint([&] { (void)directory().status(); });
  EXPECT_NE(message.find("cells.tsv: line 2"), std::string::npos) << message;
}

TEST_F(SweepDirectoryTest, a_damaged_file_of_a_failed_cell_is_named) {
  directory().prepare(plan(1, ""));
  std::ofstream(directory().failed_file("c0")) << "not HDF5";
  const std::string message = complaint([&] { (void)directory().status(); });
  EXPECT_NE(message.find(directory().failed_file("c0").string()), std::string::npos) << message;
}

// Permissions do not bind root, but nobody can make a directory below a plain file.
TEST_F(SweepDirectoryTest, a_place_that_cannot_be_written_is_named) {
  std::ofstream(scratch_ / "plain") << "no directory";
  for (const fs::path& path : {scratch_ / "plain" / "sweep", scratch_ / "plain"}) {
    const std::string message = complaint([&] { SweepDirectory(path).prepare(plan(1, "")); });
    EXPECT_EQ(message, (scratch_ / "plain").string() + " is a file; a sweep needs a directory of its own");
  }
  fs::create_symlink("nowhere", scratch_ / "link");
  EXPECT_EQ(complaint([&] { SweepDirectory(scratch_ / "link").prepare(plan(1, "")); }),
            (scratch_ / "link").string() + " is a symbolic link that leads nowhere");
}

TEST_F(SweepDirectoryTest, is_not_reached_out_of_a_folder_that_is_not_there) {
  std::ofstream(scratch_ / "precious") << "precious";
  const fs::path there = scratch_ / "absent" / ".." / "mine";
  EXPECT_NE(complaint([&] { SweepDirectory(there).prepare(plan(1, "")); }).find("leads out of"), std::string::npos);
  EXPECT_FALSE(fs::exists(scratch_ / "absent"));
  fs::create_directory(scratch_ / "absent");
  EXPECT_EQ(complaint([&] { SweepDirectory(there).prepare(plan(1, "")); }), "accepted");
}

TEST_F(SweepDirectoryTest, a_pipe_in_the_place_of_one_of_its_files_is_not_waited_for) {
  directory().prepare(plan(1, ""));
  finish("c0");
  for (const char* name : {"cells.tsv", "sweep.toml"}) {
    const fs::path file = directory().path() / name;
    fs::rename(file, scratch_ / name);
    ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
    EXPECT_THROW(directory().collect(scratch_ / "joined.h5"), ConfigError) << name;
    EXPECT_THROW(directory().prepare(plan(1, "")), ConfigError) << name;
    fs::rename(scratch_ / name, file);
  }
  ASSERT_EQ(mkfifo((directory().path() / "runs.tsv").c_str(), 0600), 0);
  EXPECT_THROW((void)directory().last_run(), ConfigError);
}

TEST_F(SweepDirectoryTest, a_result_that_is_a_link_is_none_of_its_own) {
  directory().prepare(plan(1, ""));
  finish("c0");
  fs::rename(directory().done_file("c0"), scratch_ / "elsewhere.h5");
  fs::create_symlink(scratch_ / "elsewhere.h5", directory().done_file("c0"));
  EXPECT_EQ(directory().state("c0"), CellState::kPending);
  EXPECT_EQ(state_in(directory().states(), "c0"), CellState::kPending);
}

TEST_F(SweepDirectoryTest, a_configuration_that_cannot_be_written_is_named) {
  directory().prepare(plan(1, ""));
  fs::remove(directory().path() / "cells.tsv");
  fs::create_directories(directory().path() / "cells.tsv" / "inside");
  const std::string message = complaint([&] { directory().prepare(plan(1, "")); });
  EXPECT_NE(message.find((directory().path() / "cells.tsv").string()), std::string::npos) << message;
}

}  // namespace
}  // namespace fleet
