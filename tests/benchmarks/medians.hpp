// What a benchmark program says at its end: ratios of medians within one run.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace fleet {

/// Prints the usual table and then what derives from it. Counts processor time: what is measured has one thread, and
/// what else the machine does should not matter.
class Medians : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const bool alone = run.repetitions <= 1 && run.run_type == Run::RT_Iteration;
      if (alone || run.aggregate_name == "median") medians_[run.run_name.function_name] = run.GetAdjustedCPUTime();
    }
  }
  void Finalize() override { print_ratios(); }

 protected:
  /// Processor time per iteration of the benchmark called `name`, in its own unit; 0 if it was not run.
  [[nodiscard]] double median(const std::string& name) { return medians_[name]; }

 private:
  virtual void print_ratios() = 0;

  std::map<std::string, double> medians_;
};

}  // namespace fleet
