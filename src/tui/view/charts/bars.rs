//! Heights of stacked bars and ticks of a y axis, in whole rows and eighths of rows. Pure numbers.

/// The y axis: ticks stand on whole rows, so every label is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Rows of the plot.
    pub rows: usize,
    /// Value of one tick.
    pub step: u64,
    /// Rows from one tick to the next.
    pub rows_per_step: usize,
}

impl Scale {
    /// The scale that shows `max` in so many rows with the least empty space: round steps, two to four rows apart.
    #[must_use]
    pub fn fit(max: u64, rows: usize) -> Self {
        let rows = rows.max(1);
        let apart = if rows < 4 { 1..=rows } else { 2..=4 };
        let scale = |rows_per_step: usize| {
            let least = u128::from(max) * rows_per_step as u128;
            let step = round_up(u64::try_from(least.div_ceil(rows as u128)).unwrap_or(u64::MAX));
            Self { rows, step, rows_per_step }
        };
        // The top of the plot is step * rows / rows_per_step: compared without the common factor.
        let top = |scale: &Self| u128::from(scale.step) * 12 / scale.rows_per_step as u128;
        apart.map(scale).min_by_key(top).unwrap_or(Self { rows, step: 1, rows_per_step: 1 })
    }

    /// The height of a value in eighths of rows: at most the plot's, at least one for anything above zero.
    #[must_use]
    pub fn eighths(&self, value: u64) -> usize {
        let unit = u128::from(self.step.max(1));
        let height = (u128::from(value) * 8 * self.rows_per_step as u128 + unit / 2) / unit;
        usize::try_from(height).unwrap_or(usize::MAX).clamp(usize::from(value > 0), self.rows * 8)
    }

    /// Rows above the axis, counted from 0, and the value that each stands for.
    pub fn ticks(&self) -> impl Iterator<Item = (usize, u64)> + use<> {
        let Self { rows, step, rows_per_step } = *self;
        (0..=rows / rows_per_step.max(1)).map(move |i| (i * rows_per_step, step.saturating_mul(i as u64)))
    }
}

/// The smallest of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten that is not below `least`.
fn round_up(least: u64) -> u64 {
    let mut power = 1u64;
    loop {
        for digit in [1, 2, 3, 4, 5, 6, 8] {
            match power.checked_mul(digit) {
                Some(step) if step >= least => return step,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        let Some(next) = power.checked_mul(10) else { return u64::MAX };
        power = next;
    }
}

/// A stacked bar: failed invocations in whole rows at the bottom, those that ended well on them, open ones on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Rows of the failed part.
    pub failed_rows: usize,
    /// Rows of the open part; the uppermost may be partly filled.
    pub open_rows: usize,
    /// Height of the whole bar in eighths of rows.
    pub eighths: usize,
}

/// What one cell of a bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A row of the failed part.
    Failed,
    /// So many eighths of what ended well, 1 to 8.
    Ok(usize),
    /// So many eighths of the open part, 1 to 8.
    Open(usize),
}

impl Bar {
    /// The bar of so many invocations. The failed and the open part are rounded to whole rows, so few failures among many
    /// show none: the strip below the bars shows these. Where anything did not fail, the last row is not the failed
    /// part's unless it is the only one.
    #[must_use]
    pub fn new(total: u64, failed: u64, open: u64, scale: &Scale) -> Self {
        let failed = failed.min(total);
        let eighths = scale.eighths(total);
        let rows = eighths.div_ceil(8);
        let most = if failed == total || rows == 1 { rows } else { rows.saturating_sub(1) };
        let failed_rows = if failed == total { rows } else { ((scale.eighths(failed) + 4) / 8).min(most) };
        let open_rows = match open.min(total - failed) {
            0 => 0,
            open if open == total => rows,
            open => ((scale.eighths(open) + 4) / 8).min(rows - failed_rows),
        };
        Self { failed_rows, open_rows, eighths }
    }

    /// The cell of a row, counted from 0 at the bottom.
    #[must_use]
    pub fn cell(&self, row: usize) -> Cell {
        if row < self.failed_rows {
            return Cell::Failed;
        }
        match self.eighths.saturating_sub(row * 8).min(8) {
            0 => Cell::Empty,
            eighths if row + self.open_rows >= self.eighths.div_ceil(8) => Cell::Open(eighths),
            eighths => Cell::Ok(eighths),
        }
    }
}

/// A number for the axis in at most six columns: `1,200`, `12k`, `1.5M`.
#[must_use]
pub fn short(n: u64) -> String {
    let scaled = |unit: u64, name: &str| {
        let (whole, tenth) = (n / unit, n % unit * 10 / unit);
        if tenth == 0 { format!("{whole}{name}") } else { format!("{whole}.{tenth}{name}") }
    };
    match n {
        0..1_000 => n.to_string(),
        1_000..10_000 => format!("{},{:03}", n / 1_000, n % 1_000),
        10_000..1_000_000 => scaled(1_000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// Joins neighbours so that at most `limit` values remain; their sum stays.
#[must_use]
pub fn squeeze(values: &[u64], limit: usize) -> Vec<u64> {
    let each = values.len().div_ceil(limit.max(1)).max(1);
    values.chunks(each).map(|chunk| chunk.iter().sum()).collect()
}

/// Heights of 0 to 8 on a scale up to the greatest value; only zero has height 0.
#[must_use]
pub fn levels(values: &[u64]) -> Vec<usize> {
    let max = u128::from(values.iter().copied().max().unwrap_or(0).max(1));
    values.iter().map(|&value| (u128::from(value) * 8).div_ceil(max) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_exact() {
        let ticks = |max, rows| Scale::fit(max, rows).ticks().collect::<Vec<_>>();
        assert_eq!(ticks(1_204, 12), [(0, 0), (4, 500), (8, 1_000), (12, 1_500)]);
        assert_eq!(ticks(1_204, 7), [(0, 0), (2, 400), (4, 800), (6, 1_200)]);
        assert_eq!(ticks(3, 12), [(0, 0), (4, 1), (8, 2), (12, 3)]);
        assert_eq!(ticks(0, 6), [(0, 0), (4, 1)]);
        assert_eq!(ticks(9, 2), [(0, 0), (1, 5), (2, 10)]);
        assert_eq!([0, 999, 1_200, 12_000, 12_500, 2_000_000].map(short), ["0", "999", "1,200", "12k", "12.5k", "2M"]);
    }

    #[test]
    fn the_failed_part_is_rounded_to_rows() {
        let scale = Scale::fit(1_000, 10);
        assert_eq!((scale.step, scale.rows_per_step), (200, 2));
        let failed_rows = |total, failed| Bar::new(total, failed, 0, &scale).failed_rows;
        assert_eq!(
            [0, 10, 40, 50, 140, 150, 999, 1_000].map(|failed| failed_rows(1_000, failed)),
            [0, 0, 0, 1, 1, 2, 9, 10]
        );
        assert_eq!((failed_rows(1, 1), failed_rows(90, 60), failed_rows(90, 10)), (1, 1, 0));
        assert_eq!(Bar::new(0, 0, 0, &scale).cell(0), Cell::Empty);
        assert_eq!(Bar::new(150, 0, 0, &scale).cell(1), Cell::Ok(4));
        let open = Bar::new(1_000, 200, 300, &scale);
        let cells: Vec<_> = [0, 1, 2, 6, 7, 9].map(|row| open.cell(row)).into();
        let (ok, open) = (Cell::Ok(8), Cell::Open(8));
        assert_eq!(cells, [Cell::Failed, Cell::Failed, ok, ok, open, open]);
    }

    proptest::proptest! {
        #[test]
        fn bars_stay_in_the_plot(max: u64, part in 0.0f64..=1.0, share in 0.0f64..=1.0, open in 0.0f64..=1.0, rows in 1usize..60) {
            let scale = Scale::fit(max, rows);
            let total = (max as f64 * part) as u64;
            let total = total.min(max);
            let failed = ((total as f64 * share) as u64).min(total);
            let open = (((total - failed) as f64 * open) as u64).min(total - failed);
            let bar = Bar::new(total, failed, open, &scale);
            proptest::prop_assert!(bar.eighths <= rows * 8);
            let cells: Vec<_> = (0..rows).map(|row| bar.cell(row)).collect();
            let height: usize = cells.iter().map(|cell| match cell { Cell::Empty => 0, Cell::Failed => 8, Cell::Ok(n) | Cell::Open(n) => *n }).sum();
            // A failed part at the very top is drawn as a whole row; all else sums to the height.
            let whole = if cells.iter().any(|cell| matches!(cell, Cell::Ok(_) | Cell::Open(_))) { bar.eighths } else { bar.eighths.div_ceil(8) * 8 };
            proptest::prop_assert_eq!(height, whole);
            proptest::prop_assert!(failed < total || cells.iter().all(|cell| matches!(cell, Cell::Failed | Cell::Empty)));
            proptest::prop_assert!(open > 0 || !cells.iter().any(|cell| matches!(cell, Cell::Open(_))));
            proptest::prop_assert!(failed > 0 || !cells.contains(&Cell::Failed));
            proptest::prop_assert_eq!(total > 0, cells[0] != Cell::Empty);
            proptest::prop_assert_eq!(Bar::new(max, 0, 0, &scale).eighths > rows * 8 / 4 || max < rows as u64, true);
        }

        #[test]
        fn ticks_rise_within_the_plot(max in 0..u64::MAX / 64, rows in 1usize..60) {
            let scale = Scale::fit(max, rows);
            let ticks: Vec<_> = scale.ticks().collect();
            proptest::prop_assert!(ticks.len() >= 2 && ticks[0] == (0, 0));
            proptest::prop_assert!(ticks.windows(2).all(|t| t[0].0 < t[1].0 && t[0].1 < t[1].1));
            proptest::prop_assert!(ticks.iter().all(|t| t.0 <= rows));
            for (row, value) in ticks {
                proptest::prop_assert_eq!(scale.eighths(value), row * 8);
            }
        }

        #[test]
        fn squeezing_keeps_the_sum(values in proptest::collection::vec(0u64..1000, 0..800), limit in 1usize..100) {
            let squeezed = squeeze(&values, limit);
            proptest::prop_assert!(squeezed.len() <= limit);
            proptest::prop_assert_eq!(squeezed.iter().sum::<u64>(), values.iter().sum::<u64>());
        }

        #[test]
        fn axis_numbers_are_short(n in 0u64..1_000_000_000_000) {
            proptest::prop_assert!(short(n).len() <= 6, "{}", short(n));
        }
    }
}
