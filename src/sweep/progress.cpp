#include "sweep/progress.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/error.hpp"

namespace fleet {

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return cat(whole, " s");
  if (whole < 3600) return cat(whole / 60, " min ", whole % 60, " s");
  return cat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

namespace {

/// At most `width` characters, counted as UTF-8 has them.
std::string shortened(const std::string& text, std::size_t width) {
  std::size_t characters = 0;
  std::size_t cut = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U) continue;
    if (++characters == width) cut = i;
  }
  return characters > width ? text.substr(0, cut) + "…" : text;
}

}  // namespace

Progress::Progress(std::ostream& out, double total_cost, int total_cells, bool watched)
    : out_(out), total_cost_(std::max(total_cost, 1e-300)), total_cells_(total_cells), watched_(watched) {}

void Progress::advance(double cost, const std::string& label) {
  cost_of_present_ += cost;
  const double interval = watched_ ? 0.2 : 15.0;
  if (since_start_.seconds() - drawn_at_ >= interval) draw(label);
}

void Progress::cell_finished(double cost, const std::string& label, const std::string& failure) {
  cells_ended_ = std::max(cells_ended_, ++cells_done_);
  cost_of_finished_ += cost;
  cost_of_present_ = 0.0;
  if (!failure.empty()) {
    out_ << (watched_ ? "\r\033[K" : "") << "fleet: failed: " << label << ": " << failure << '\n';
    drawn_at_ = -1e9;
  }
  if (watched_ || cells_ended_ == total_cells_) draw(label);
}

void Progress::tell(int cells_ended) {
  const bool last = cells_ended_ < total_cells_ && cells_ended >= total_cells_;
  cells_ended_ = std::max(cells_ended_, cells_ended);
  if (last) draw("");
}

void Progress::draw(const std::string& label) {
  const double share = total_cells_ > 0 && cells_ended_ == total_cells_
                           ? 1.0
                           : std::clamp((cost_of_finished_ + cost_of_present_) / total_cost_, 0.0, 1.0);
  const double elapsed = since_start_.seconds();
  drawn_at_ = elapsed;
  std::ostringstream line;
  if (watched_) {
    constexpr int kWidth = 28;
    const int filled = static_cast<int>(share * kWidth);
    line << "\r\033[K[" << std::string(static_cast<std::size_t>(filled), '=')
         << std::string(static_cast<std::size_t>(kWidth - filled), ' ') << "] ";
  } else {
    line << "fleet: ";
  }
  line << std::setw(3) << static_cast<int>(share * 100) << " %  " << cells_ended_ << '/' << total_cells_ << " cells";
  if (elapsed > 1.0)
    line << "  " << std::fixed << std::setprecision(1) << cells_ended_ / elapsed * 60.0 << " cells/min";
  if (share > 0.0 && share < 1.0) line << "  " << duration_text(elapsed * (1.0 - share) / share) << " left";
  constexpr std::size_t kLabel = 48;
  if (!label.empty()) line << "  " << (watched_ ? shortened(label, kLabel) : label);
  if (!watched_) line << '\n';
  out_ << line.str() << std::flush;
}

void Progress::close() {
  if (watched_) out_ << '\n' << std::flush;
}

}  // namespace fleet
