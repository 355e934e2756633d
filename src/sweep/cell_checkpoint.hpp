// The last two checkpoints of a cell under way, in its sweep's directory.
#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>

#include "io/checkpoint_file.hpp"
#include "train/checkpoint.hpp"

namespace fleet {

class CellCheckpoint final : public CheckpointStore {
 public:
  /// Keeps `file` and `file`.old. A checkpoint of another `origin` (the cell and the program) is refused. What happens
  /// is told to `log` after "fleet: `label`: ".
  CellCheckpoint(std::filesystem::path file, std::string origin, std::string label, std::ostream& log);

  void create() override;
  void append(std::string_view record) override { writer_->append(record); }
  void commit() override;

  /// The newest checkpoint that is whole; of one that is not, says why.
  [[nodiscard]] bool open() override;
  [[nodiscard]] std::string next() override { return reader_->next(); }
  void warn(std::string_view reason) override;

  /// Removes both: the cell has ended.
  void discard();

 private:
  std::filesystem::path file_;
  std::filesystem::path older_;
  std::string origin_;
  std::string label_;
  std::ostream& log_;
  std::optional<CheckpointWriter> writer_;
  std::optional<CheckpointReader> reader_;
};

}  // namespace fleet
