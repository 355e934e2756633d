// The instruments of a cell: what is switched on looks on at its rounds. Nothing that is off costs anything.
#pragma once

#include "base/settings.hpp"
#include "train/round_loop.hpp"

namespace fleet {

struct InstrumentOptions {
  bool interpolation = false;  ///< curves and barriers between all pairs, before and after alignment
  int points = 11;             ///< of a curve, its ends included
  bool norms = false;          ///< of every tensor of every robot
  bool alignment = false;      ///< distances to the consensus, and how the alignment went
  int finetune_steps = 0;      ///< after the last round; 0 for none
  int finetune_every = 20;     ///< steps between tests
  int personal_steps = 0;      ///< of every robot by itself, after the last round; 0 for none
  int personal_every = 100;    ///< steps between tests
  enum class Rounds { kLast, kEvery };
  Rounds rounds = Rounds::kLast;  ///< in which the first three look

  [[nodiscard]] bool any() const {
    return interpolation || norms || alignment || finetune_steps > 0 || personal_steps > 0;
  }
};

/// Reads the fields above from "instruments.*".
[[nodiscard]] InstrumentOptions read_instrument_options(SettingsReader& settings);

class Instruments final : public RoundObserver {
 public:
  /// Keeps a reference to `workload`.
  Instruments(const InstrumentOptions& options, Workload& workload) : options_(options), workload_(workload) {}

  [[nodiscard]] bool wants_series() const override { return options_.alignment; }
  [[nodiscard]] bool wants_all_robots(bool last_round) const override {
    return last_round && options_.personal_steps > 0;
  }
  [[nodiscard]] std::vector<Measurement> observe(const RoundView& view, const Comm& comm) override;

 private:
  [[nodiscard]] std::vector<Measurement> interpolate_pairs(const RoundView& view, const Comm& comm) const;

  InstrumentOptions options_;
  Workload& workload_;
};

}  // namespace fleet
