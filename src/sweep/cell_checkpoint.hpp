// The last two checkpoints of a cell under way, or what several cells have trained, in their sweep's directory.
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
  enum class Kind {
    kCell,      ///< keeps the one before as `file`.old
    kTraining,  ///< keeps one, which several cells may write at a time: all the same
  };
  /// Keeps `file`. A checkpoint of another `origin` (the cell, or the training, and the program) is refused. What
  /// happens is told to `log` after "fleet: `label`: ".
  CellCheckpoint(std::filesystem::path file, std::string origin, std::string label, std::ostream& log,
                 Kind kind = Kind::kCell);

  void create() override;
  void append(std::string_view record) override { writer_->append(record); }
  void commit() override;

  /// The newest checkpoint that is whole; of one that is not, says why.
  [[nodiscard]] bool open() override;
  [[nodiscard]] std::string next() override { return reader_->next(); }
  void warn(std::string_view reason) override;

  /// Removes what is kept: the cell has ended.
  void discard();

 private:
  std::filesystem::path file_;
  Kind kind_;
  std::filesystem::path older_;  // none of a training
  std::string origin_;
  std::string label_;
  std::ostream& log_;
  std::optional<CheckpointWriter> writer_;
  std::optional<CheckpointReader> reader_;
};

}  // namespace fleet
