// The screens of the models in `day`, in Compose.
plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "outrider.day.android"
    compileSdk = 36
    defaultConfig {
        applicationId = "outrider.day"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }
}

dependencies {
    implementation(project(":outrider-android"))
    implementation(project(":examples:day"))
    implementation(platform(libs.compose.bom))
    implementation(libs.compose.material)
    implementation(libs.activity.compose)
    implementation(libs.lifecycle.compose)
}
