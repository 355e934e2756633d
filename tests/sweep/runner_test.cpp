// Laws of runs: what becomes of cells and their files, whatever the number of ranks.
#include "sweep/runner.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "io/hdf5.hpp"
#include "io/results.hpp"
#include "io/toml.hpp"
#include "scratch.hpp"
#include "sweep/cell_checkpoint.hpp"
#include "sweep/claims.hpp"
#include "toy_fleet.hpp"

namespace fleet {
namespace {

/// Told of every cell that is begun, on every rank of its group.
std::function<void(const Settings& cell)> on_make;

class ToyWorld final : public World {
 public:
  CellFacts describe(SettingsReader& settings) override {
    int part = 0;
    settings.read("toy.part", part, {}, "A key of this test.");
    return {.parameters = 48,
            .maps = std::make_shared<const std::vector<AffineMap>>(1),  // that there are some is all that is asked
            .train_samples = 20};
  }
  void load(std::span<const Settings* const> /*cells*/, const Comm& /*run*/) override {}
  std::unique_ptr<Workload> make(const Settings& cell) override {
    if (on_make) on_make(cell);
    return std::make_unique<toy::ToyWorkload>(std::vector<int>{5, 6});
  }
};

std::unique_ptr<World> make_toy() {
  return std::make_unique<ToyWorld>();
}
constexpr std::array kWorlds = {WorldEntry{"toy", "a toy", make_toy}};

class RunTest : public testing::Test {
 protected:
  RunTest() {
    std::string shared = scratch_.path().string();  // that of the root
    world_.broadcast(shared);
    output_ = shared + "/sweep";
    for (const char* key : {"fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "hosts", "command_line",
                            "started", "finished"}) {
      request_.provenance[key] = "x";
    }
    on_make = nullptr;
  }
  ~RunTest() override { world_.barrier(); }  // nobody takes the directory away before all are done

  /// Cells are the parts 0, 1 ...; those with robots in plenty run on all ranks together.
  Sweep sweep(int parts, bool in_groups = false) {
    std::string text = "workload = \"toy\"\nmerge.method = \"average\"\nfleet.robots = 2\ntrain.epochs = 2\n";
    text += cat("run.output = \"", output_, "\"\nrun.ranks_per_cell = ", in_groups ? 1 : 64,
                "\nrun.checkpoint.every_rounds = 1\n");
    text += "sweep.grid.toy.part = [";
    for (int part = 0; part < parts; ++part) text += cat(part > 0 ? ", " : "", part);
    return expand(parse_toml(text + "]\n", "a.toml"), "sweep", kWorlds, worlds_);
  }
  RunSummary run(const Sweep& sweep) { return run_sweep(sweep, worlds_, request_, world_); }

  /// What another job that works on that cell holds, on the root.
  std::unique_ptr<CellClaims> claimed_elsewhere(const Sweep& plan, std::size_t cell) {
    std::unique_ptr<CellClaims> claims;
    world_.together([&] {
      if (!world_.is_root()) return;
      SweepDirectory(output_).prepare(plan);
      claims = std::make_unique<CellClaims>(output_);
      EXPECT_TRUE(claims->take(plan.cells[cell].id));
    });
    return claims;
  }

  static std::int64_t part_of(const Settings& cell) { return std::get<std::int64_t>(cell.at("toy.part").value.data); }

  Comm world_ = MpiSession::world();
  Scratch scratch_;
  std::string output_;
  Worlds worlds_;
  RunRequest request_;
};

TEST_F(RunTest, a_checkpoint_that_cannot_be_read_survives_the_failure_of_its_cell) {
  const Sweep plan = sweep(1);
  const SweepDirectory directory(output_);
  const std::filesystem::path file = directory.checkpoint_file(plan.cells[0].id);
  std::string before;
  world_.together([&] {
    if (!world_.is_root()) return;
    directory.prepare(plan);
    CellCheckpoint checkpoint(file, cat("cell ", plan.cells[0].id, " of fleet x (x)"), "cell", std::cerr);
    checkpoint.create();
    checkpoint.append("not what a cell has written");
    checkpoint.commit();
    before = Scratch::read(file);
  });
  EXPECT_EQ(run(plan).failed, 1);
  if (!world_.is_root()) return;
  EXPECT_EQ(directory.state(plan.cells[0].id), CellState::kFailed);
  EXPECT_EQ(Scratch::read(file), before);
}

TEST_F(RunTest, finished_cells_leave_no_checkpoints) {
  const Sweep plan = sweep(2);
  EXPECT_EQ(run(plan).ran, 2);
  const SweepDirectory directory(output_);
  for (const Cell& cell : plan.cells) EXPECT_FALSE(std::filesystem::exists(directory.checkpoint_file(cell.id)));
}

TEST_F(RunTest, cells_that_differ_in_the_merge_train_once_and_come_to_the_same) {
  const auto plan = [&](bool share, const std::string& output) {
    const std::string text =
        cat("workload = \"toy\"\nfleet.robots = 2\ntrain.epochs = 2\nmerge.every_epochs = 0\nrun.output = \"", output,
            "\"\nrun.ranks_per_cell = 64\nrun.share_training = ", share ? "true" : "false",
            "\nsweep.grid.toy.part = [0, 1]\nsweep.grid.merge.method = [\"average\", \"regression\", \"local\", "
            "\"joint\"]\n");
    return expand(parse_toml(text, "a.toml"), "sweep", kWorlds, worlds_);
  };
  const Sweep shared = plan(true, output_);
  const SweepDirectory directory(output_);
  const std::filesystem::path mine = directory.path() / "cells" / "mine.training";  // somebody else's file
  world_.together([&] {
    if (!world_.is_root()) return;
    directory.prepare(shared);
    Scratch::write(mine, "x");
  });
  std::vector<std::int64_t> begun;
  std::vector<std::size_t> kept;
  on_make = [&](const Settings& cell) {
    begun.push_back(part_of(cell));
    kept.push_back(directory.trainings().size());
  };
  EXPECT_EQ(run(shared).ran, 8);
  on_make = nullptr;
  // Both parts are trained, and both reference lines, before anybody goes on; what nobody waits for any more is gone.
  EXPECT_EQ(std::set(begun.begin(), begun.begin() + 4), (std::set<std::int64_t>{0, 1}));
  EXPECT_EQ(kept[4], 2U);
  EXPECT_LE(kept.back(), 1U);
  EXPECT_EQ(directory.trainings(), std::vector<std::string>{});
  EXPECT_TRUE(std::filesystem::exists(mine));

  const Sweep apart = plan(false, output_ + "-apart");
  EXPECT_EQ(run(apart).ran, 8);
  if (!world_.is_root()) return;
  for (std::size_t i = 0; i < shared.cells.size(); ++i) {
    EXPECT_EQ(shared.cells[i].id, apart.cells[i].id);
    const Hdf5Reader one(directory.done_file(shared.cells[i].id));
    const Hdf5Reader other(SweepDirectory(output_ + "-apart").done_file(shared.cells[i].id));
    EXPECT_EQ(read_metrics(one, 1).column<double>("value"), read_metrics(other, 1).column<double>("value"))
        << shared.cells[i].label();
  }
}

TEST_F(RunTest, a_training_of_another_version_is_not_taken) {
  const std::string text =
      cat("workload = \"toy\"\nfleet.robots = 2\ntrain.epochs = 2\nmerge.every_epochs = 0\nrun.output = \"", output_,
          "\"\nrun.ranks_per_cell = 64\nsweep.grid.merge.method = [\"average\", \"local\"]\n");
  const Sweep plan = expand(parse_toml(text, "a.toml"), "sweep", kWorlds, worlds_);
  const SweepDirectory directory(output_);
  world_.together([&] {
    if (!world_.is_root()) return;
    directory.prepare(plan);
    const std::string& name = plan.cells[0].training;
    CellCheckpoint old(directory.training_file(name), cat("training ", name, " of fleet w (w)"), "cell", std::cerr,
                       CellCheckpoint::Kind::kTraining);
    old.create();
    old.append("not what a cell has written");
    old.commit();
  });
  std::ostringstream told;
  std::streambuf* const terminal = std::cerr.rdbuf(told.rdbuf());
  const RunSummary summary = run(plan);
  std::cerr.rdbuf(terminal);
  EXPECT_EQ(summary.ran, 2);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(told.str().find("this checkpoint is not used") == std::string::npos, !world_.is_root()) << told.str();
}

TEST_F(RunTest, a_cell_that_another_job_gives_back_is_run_at_the_end) {
  const Sweep plan = sweep(3);
  std::unique_ptr<CellClaims> another_job = claimed_elsewhere(plan, 0);
  std::vector<std::int64_t> begun;
  on_make = [&](const Settings& cell) {
    begun.push_back(part_of(cell));
    if (begun.size() == 2) another_job.reset();
  };
  const RunSummary summary = run(plan);
  EXPECT_EQ(summary.ran, 3);
  EXPECT_EQ(summary.elsewhere, 0);
  EXPECT_EQ(begun, (std::vector<std::int64_t>{1, 2, 0}));
}

TEST_F(RunTest, a_cell_that_another_job_keeps_is_left_to_it) {
  const Sweep plan = sweep(3);
  std::unique_ptr<CellClaims> another_job = claimed_elsewhere(plan, 1);
  const RunSummary summary = run(plan);
  EXPECT_EQ(summary.ran, 2);
  EXPECT_EQ(summary.elsewhere, 1);
  EXPECT_EQ(SweepDirectory(output_).state(plan.cells[1].id), CellState::kPending);
}

TEST_F(RunTest, the_last_line_of_progress_counts_the_cells_of_all_groups) {
  const Sweep plan = sweep(6, true);
  on_make = [&](const Settings&) {  // the root, which reports, is the first to run out of cells
    if (!world_.is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  std::ostringstream told;
  std::streambuf* const terminal = std::cerr.rdbuf(told.rdbuf());
  const RunSummary summary = run(plan);
  std::cerr.rdbuf(terminal);
  EXPECT_EQ(summary.ran, 6);
  if (!world_.is_root()) return;
  const std::string text = told.str();
  const std::size_t line = text.find_last_of("\r\n", text.find_last_not_of("\r\n"));
  const std::string last = text.substr(line == std::string::npos ? 0 : line + 1);
  EXPECT_NE(last.find("100 %  6/6 cells"), std::string::npos) << text;
}

}  // namespace
}  // namespace fleet
