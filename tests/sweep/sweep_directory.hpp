// A sweep's directory of a test's own, and what may become of its cells.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "complaint.hpp"
#include "io/results.hpp"
#include "sweep/directory.hpp"

namespace fleet {

namespace fs = std::filesystem;

using Texts = std::vector<std::string>;

/// A plan of cells "c0", "c1" ... on an axis of seeds.
inline Sweep plan(int cells, const std::string& config) {
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

}  // namespace fleet
