// Checkpoints in memory, for fleets that are interrupted on some ranks and go on upon others.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "comm/comm.hpp"
#include "train/checkpoint.hpp"

namespace fleet {

/// Keeps the last checkpoint in memory.
class MemoryStore final : public CheckpointStore {
 public:
  void create() override { draft_.clear(); }
  void append(std::string_view record) override {
    require(!full, "the store is full");
    draft_.emplace_back(record);
  }
  void commit() override {
    records = draft_;
    ++commits;
  }
  bool open() override {
    next_ = 0;
    return !records.empty();
  }
  std::string next() override { return records.at(next_++); }
  void warn(std::string_view reason) override { warnings.emplace_back(reason); }

  /// Takes what the root of `run` keeps to all ranks, since each may be a root next.
  void share(const Comm& run) {
    auto count = static_cast<std::int64_t>(run.is_root() ? records.size() : 0);
    records.resize(static_cast<std::size_t>(run.sum(count)));
    for (std::string& record : records) run.broadcast(record);
  }

  std::vector<std::string> records;
  std::vector<std::string> warnings;
  int commits = 0;
  bool full = false;

 private:
  std::vector<std::string> draft_;
  std::size_t next_ = 0;
};

}  // namespace fleet
