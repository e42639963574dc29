// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0
