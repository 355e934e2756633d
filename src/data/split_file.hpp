// Who gets which samples, as a user has written it down: a table with a row for every sample that is used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "train/shards.hpp"

namespace fleet {

/// The samples of each robot by what they are for: to train on, held out (both of the training set), or to test the
/// robot's own share of the problem on (of the test set).
struct SplitFile {
  std::vector<Shard> shards;                    ///< by robot, in the order of the table
  std::vector<std::vector<std::int32_t>> test;  ///< the same, of the test set
  std::int32_t largest_sample = -1;             ///< of those that are trained on or held out
  std::int32_t largest_test = -1;
  std::string digest;  ///< of all that is in the table: sixteen hexadecimal digits
};

/// A CSV file whose first line names its columns, or an HDF5 file (.h5, .hdf5) with a table "split": `sample` and
/// `robot`, whole numbers from 0, and optionally `part`, one of "train" (where there is none), "held_out" and "test".
/// Error naming file, line or row, what is there and what was expected; also for a sample that is given to one robot
/// twice for the same part.
[[nodiscard]] SplitFile read_split(const std::filesystem::path& path);

}  // namespace fleet
