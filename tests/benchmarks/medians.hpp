// What a benchmark program says at its end: ratios of medians within one run.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "ratios.hpp"

namespace fleet {

/// Prints the usual table and then ratios that derive from it. Counts processor time: what is measured has one thread,
/// and what else the machine does should not matter.
class Medians : public benchmark::ConsoleReporter {
 public:
  Medians() : ConsoleReporter(OO_Tabular) {}  // without colours, whose codes would stand before the ratios

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const bool alone = run.repetitions <= 1 && run.run_type == Run::RT_Iteration;
      if (alone || run.aggregate_name == "median") medians_[name_of(run)] = run.GetAdjustedCPUTime();
    }
  }
  void Finalize() override { print_ratios(); }

 protected:
  /// Processor time per iteration of the benchmark called `name`, its arguments included ("solve/n:4"), in its own
  /// unit; 0 if it was not run.
  [[nodiscard]] double median(const std::string& name) { return medians_[name]; }
  /// How often `name` is done in the time of one `yardstick`; nothing where one of them was not run.
  void print_rate(const std::string& what, const std::string& name, const std::string& yardstick) {
    if (median(name) > 0.0 && median(yardstick) > 0.0) print_ratio(what, median(yardstick) / median(name));
  }

 private:
  virtual void print_ratios() = 0;
  static std::string name_of(const Run& run) {
    const auto& [function, arguments] = std::tie(run.run_name.function_name, run.run_name.args);
    return arguments.empty() ? function : function + "/" + arguments;
  }

  std::map<std::string, double> medians_;
};

}  // namespace fleet
