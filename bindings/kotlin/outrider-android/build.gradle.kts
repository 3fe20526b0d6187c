// The AAR: the package, the library for four processors, and what Android does best.
plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "outrider.android"
    compileSdk = 36
    defaultConfig {
        // java.time and java.nio.file, without desugaring.
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    // ../release lays the libraries out there, stripped.
    sourceSets.getByName("main").jniLibs.directories.add("../../../target/android/jniLibs")
}

kotlin {
    explicitApi()
}

dependencies {
    api(project(":outrider"))
    implementation(variantOf(libs.jna) { artifactType("aar") })
    implementation(libs.coroutines.android)
    implementation(libs.okhttp)
    api(libs.work)
    api(libs.paging)
}
