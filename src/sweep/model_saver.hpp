// Leaves the models of a cell on disk: the robots' own as they were after their training, and what was merged in the
// end.
#pragma once

#include <filesystem>

#include "io/results.hpp"
#include "train/round_loop.hpp"

namespace fleet {

enum class SavedModels {
  kNone,
  kMerged,
  kAll,     ///< the robots' too
  kRounds,  ///< what was merged in every round
};

class ModelSaver final : public RoundObserver {
 public:
  /// Writes merged.h5, robot-0.h5, robot-1.h5, ... (io/model_file.hpp) to `directory`; of every round merged-1.h5, ...
  /// Where robots keep a part of their weights to themselves, what each goes on with is personal-0.h5, ...
  ModelSaver(SavedModels which, std::filesystem::path directory, Settings settings, std::string data,
             Companions companions, Provenance provenance, bool joint)
      : which_(which),
        directory_(std::move(directory)),
        settings_(std::move(settings)),
        data_(std::move(data)),
        companions_(std::move(companions)),
        provenance_(std::move(provenance)),
        joint_(joint) {}

  [[nodiscard]] bool wants_all_robots(bool last_round) const override {
    return last_round && which_ == SavedModels::kAll && !joint_;
  }
  [[nodiscard]] std::vector<Measurement> observe(const RoundView& view, const Comm& comm) override;

 private:
  SavedModels which_;
  std::filesystem::path directory_;
  Settings settings_;
  std::string data_;  // what they were trained on, by content
  Companions companions_;
  Provenance provenance_;
  bool joint_;  // its one robot is no member of the fleet
};

}  // namespace fleet
