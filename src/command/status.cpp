// `fleet status DIR`: how far a sweep is.
#include <array>
#include <iomanip>
#include <iostream>

#include "command/commands.hpp"
#include "sweep/directory.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("all", "list every cell, not only those failed and running");
  return options;
}

int show_status(const Call& call) {
  const SweepDirectory directory(call.get("DIR"));
  const std::vector<CellStatus> cells = directory.status();
  constexpr std::array<const char*, 4> kNames = {"pending", "running", "failed", "done"};
  std::array<std::size_t, 4> counts{};
  for (const CellStatus& cell : cells) ++counts[static_cast<std::size_t>(cell.state)];
  std::cout << cells.size() << " cells: " << counts[3] << " done, " << counts[2] << " failed, " << counts[1]
            << " running, " << counts[0] << " pending\n";
  if (const auto last = directory.last_run(); !last.empty()) {
    std::cout << "last run:";
    for (const auto& [column, value] : last) std::cout << ' ' << column << '=' << value;
    std::cout << '\n';
  }
  for (const CellStatus& cell : cells) {
    const bool telling = cell.state == CellState::kFailed || cell.state == CellState::kRunning;
    if (!telling && !call.has("all")) continue;
    std::cout << "  " << std::left << std::setw(8) << kNames[static_cast<std::size_t>(cell.state)] << cell.id << "  "
              << cell.label << (cell.detail.empty() ? "" : ": " + cell.detail) << '\n';
  }
  return 0;
}

}  // namespace

Command command::status() {
  return {.name = "status",
          .summary = "say what is done, running and failed in a sweep's directory",
          .usage = "DIR [--all]",
          .operand = {.name = "DIR", .is = Operand::Is::kDirectory},
          .options = options,
          .run = show_status};
}

}  // namespace fleet
